# SPDX-License-Identifier: Apache-2.0
"""What a cluster refuses with: one class for each name that its error bodies carry.

The names are recorded; which status goes with which refusal is known only where the class says so.
"""

from __future__ import annotations


class ApiError(Exception):
    """A request was refused; the base of what an error body can say."""

    name = "InternalError"
    status = 500
    code = 1

    def __init__(self, message: str, *details: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if status is not None:
            self.status = status


class AuthFailed(ApiError):
    """Wrong name or password."""

    name, status, code = "AuthFailedError", 401, 3


class SessionKeyInvalid(ApiError):
    """No key, an unknown one, or one that expired."""

    name, status, code = "InvalidSessionKeyError", 401, 2

    def __init__(self) -> None:
        # Clients compare this text with theirs, letter by letter.
        super().__init__(
            "The key provided with the request does not correspond to a valid session."
        )


class PermissionDenied(ApiError):
    """The user may not do this."""

    name, status, code = "PermissionDeniedError", 403, 4


class RouteInvalid(ApiError):
    """There is nothing at this path; code 99 is what clients probe for."""

    name, status, code = "InvalidRouteError", 404, 99


class ValidationFailed(ApiError):
    """The body or a query parameter does not fit the schema."""

    name, status, code = "ValidationFailedError", 422, 5


class RequestInvalid(ApiError):
    """The request is well-formed, but the object's state forbids it."""

    name, status, code = "InvalidRequestError", 400, 15


class NotFound(ApiError):
    """No such object."""

    name, status, code = "NotFoundError", 404, 6


class Conflict(ApiError):
    """Such an object exists already, or is in use."""

    name, status, code = "ConflictError", 409, 22


class StorageFailed(ApiError):
    """The emulator's own disk failed it."""

    name, status, code = "InternalError", 500, 1
