# SPDX-License-Identifier: Apache-2.0
"""Responses of a cluster, and the errors that they mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume.connection.errors import (
    AlreadyOnCluster,
    ClusterBusy,
    ClusterFault,
    DateraError,
    NotOnCluster,
    OutcomeUnknown,
    PermissionRefused,
    RequestInvalid,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.body import Unreadable, json_in
from datera_volume.connection.transport.masking import Masker, masked_data

LOG = tracing.logger(__name__)

# How to tell an expired session from a missing permission; both are 401.
SESSION_ENDED = "The key provided with the request does not correspond to a valid session."
SESSION_ENDED_NAME = "InvalidSessionKeyError"
PERMISSION_DENIED_NAME = "PermissionDeniedError"
STILL_STARTING = "REST server is still initializing"
NO_DATA = "No data at "

OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND, NOT_ALLOWED, CONFLICT = 200, 401, 403, 404, 405, 409
BAD_REQUEST, INVALID, TOO_MANY, FAULT, UNAVAILABLE = 400, 422, 429, 500, 503
MULTIPLE_CHOICES = 300
GATEWAY = (502, 504)


@dataclass(frozen=True)
class HttpResponse:
    """Status and body of one response; ``body`` is None where it is not valid JSON."""

    status: int
    reason: str
    text: str
    body: Any

    @classmethod
    def of(cls, status: int, reason: str | None, content: bytes) -> HttpResponse:
        """Read a response's bytes, whatever they are."""
        text = content.decode("utf-8", errors="replace")
        try:
            body = json_in(text) if text.strip() else None
        except Unreadable as exc:
            LOG.debug("The body of a response is %s", exc)
            body = None
        return cls(status, reason or "", text, body)

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return OK <= self.status < MULTIPLE_CHOICES

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body where it is an object, else nothing."""
        return self.body if isinstance(self.body, dict) else {}

    def error_message(self, masker: Masker) -> str:
        """The cluster's error message, masked; of an HTML page only the beginning."""
        message = self.fields.get("message")
        if isinstance(message, str) and message:
            message = masker.text(message)
        else:
            # Masked whole: a secret that is cut or folded would no longer be recognised.
            message = " ".join(masker.text(self.text).split())[:200] or self.reason
        errors = self.fields.get("errors")
        if isinstance(errors, list) and errors:
            texts = [masker.text(_error_text(error)) for error in errors[:5]]
            message += f" ({'; '.join(texts)})"
        return message

    @property
    def session_ended(self) -> bool:
        """Whether the session key has expired, as opposed to a missing permission."""
        return self.status == UNAUTHORIZED and (
            self.fields.get("message") == SESSION_ENDED
            or self.fields.get("name") == SESSION_ENDED_NAME
        )

    @property
    def may_have_ended_session(self) -> bool:
        """Whether the response does not tell an expired session from a missing permission."""
        return (
            self.status == UNAUTHORIZED
            and not self.session_ended
            and self.fields.get("name") != PERMISSION_DENIED_NAME
        )


def error_of(response: HttpResponse, asked: str, message: str) -> DateraError:
    """Return the error for an unsuccessful response.

    :param asked: the request and the cluster.
    :param message: the cluster's message, masked.
    """
    text = f"{asked}: {response.status} {message}"
    status = response.status
    code = response.fields.get("code")
    number = code if isinstance(code, int) else None
    busy = status in (UNAVAILABLE, TOO_MANY) or (status == FAULT and STILL_STARTING in message)
    if busy:
        error: DateraError = ClusterBusy(text)
    elif status == UNAUTHORIZED or response.fields.get("name") == PERMISSION_DENIED_NAME:
        error = PermissionRefused(text)
    elif status == NOT_FOUND:
        error = NotOnCluster(text)
    elif status == CONFLICT:
        error = AlreadyOnCluster(text)
    elif status in (BAD_REQUEST, FORBIDDEN, NOT_ALLOWED):
        error = RequestRefused(text, code=number)
    elif status == INVALID:
        error = RequestInvalid(text, code=number)
    elif status == FAULT:
        error = ClusterFault(text)
    elif status in GATEWAY:
        # A proxy timed out: the request may have been carried out.
        error = OutcomeUnknown(text)
    else:
        error = UnexpectedAnswer(text)
    return error


def _error_text(error: Any) -> str:
    if isinstance(error, dict):
        message = error.get("message")
        if isinstance(message, str):
            return message
    return error if isinstance(error, str) else json.dumps(masked_data(error), default=str)
