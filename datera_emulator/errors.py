# SPDX-License-Identifier: Apache-2.0
"""The API's errors: one class for each name that error bodies carry.

The names are recorded; the status of an error is known only where the class says so.
Two codes are recorded: that of an unknown path, and that of a snapshot's UUID in use.
All others are :data:`UNKNOWN_CODE`: no client should rely on a number that we invented.
"""

from __future__ import annotations

UNKNOWN_CODE = 0


class ApiError(Exception):
    """A request was refused; the base of what an error body can say."""

    name = "InternalError"
    status = 500
    code = UNKNOWN_CODE

    def __init__(self, message: str, *details: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if status is not None:
            self.status = status


class AuthFailed(ApiError):
    """Wrong name or password."""

    name, status = "AuthFailedError", 401


class SessionKeyInvalid(ApiError):
    """No key, an unknown one, or one that expired."""

    name, status = "InvalidSessionKeyError", 401

    def __init__(self) -> None:
        # Clients compare this text with theirs, letter by letter.
        super().__init__(
            "The key provided with the request does not correspond to a valid session."
        )


class PermissionDenied(ApiError):
    """The user may not do this."""

    name, status = "PermissionDeniedError", 403


class RouteInvalid(ApiError):
    """Unknown path; code 99 is what clients probe for."""

    name, status, code = "InvalidRouteError", 404, 99


class ValidationFailed(ApiError):
    """The body or a query parameter does not fit the schema."""

    name, status = "ValidationFailedError", 422


class RequestInvalid(ApiError):
    """The request is well-formed, but the object's state forbids it."""

    name, status = "InvalidRequestError", 400


class SnapshotExists(RequestInvalid):
    """The requested UUID of a new snapshot is in use; clients expect code 15 for it."""

    code = 15


class NotFound(ApiError):
    """No such object."""

    name, status = "NotFoundError", 404


class Conflict(ApiError):
    """Such an object exists already, or is in use."""

    name, status = "ConflictError", 409


class StorageFailed(ApiError):
    """The emulator's own disk failed."""

    name, status = "InternalError", 500
