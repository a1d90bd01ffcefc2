# SPDX-License-Identifier: Apache-2.0
"""What a cluster answers, and which of our errors it means."""

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
from datera_volume.connection.masking import Masker, masked_data

# What is known to tell an ended session from a missing permission; both are 401.
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
class Answer:
    """Status and body of one response; ``body`` is None where it is no JSON at all."""

    status: int
    reason: str
    text: str
    body: Any

    @classmethod
    def of(cls, status: int, reason: str | None, content: bytes) -> Answer:
        """Read a response's bytes, whatever they are."""
        text = content.decode("utf-8", errors="replace")
        try:
            body = json.loads(text) if text.strip() else None
        except ValueError:
            body = None
        return cls(status, reason or "", text, body)

    @property
    def ok(self) -> bool:
        """Whether the cluster says that it did what was asked."""
        return OK <= self.status < MULTIPLE_CHOICES

    @property
    def fields(self) -> Mapping[str, Any]:
        """The body where it is an object, else nothing."""
        return self.body if isinstance(self.body, dict) else {}

    def reason_told(self, masker: Masker) -> str:
        """What the cluster gives as its reason, masked; of a page of HTML only its beginning."""
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
        """Whether the session's key is no longer valid, as opposed to: not allowed to do this."""
        return self.status == UNAUTHORIZED and (
            self.fields.get("message") == SESSION_ENDED
            or self.fields.get("name") == SESSION_ENDED_NAME
        )

    @property
    def may_have_ended_session(self) -> bool:
        """Whether it cannot be told from the answer alone if the session has ended."""
        return (
            self.status == UNAUTHORIZED
            and not self.session_ended
            and self.fields.get("name") != PERMISSION_DENIED_NAME
        )


def error_of(answer: Answer, asked: str, message: str) -> DateraError:
    """Return the error that an unsuccessful answer means.

    :param asked: what was asked of which cluster.
    :param message: the cluster's reason, without secrets.
    """
    text = f"{asked}: {answer.status} {message}"
    status = answer.status
    code = answer.fields.get("code")
    number = code if isinstance(code, int) else None
    busy = status in (UNAVAILABLE, TOO_MANY) or (status == FAULT and STILL_STARTING in message)
    if busy:
        error: DateraError = ClusterBusy(text)
    elif status == UNAUTHORIZED or answer.fields.get("name") == PERMISSION_DENIED_NAME:
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
        # Somebody between us and the cluster gave up waiting: it may well have been carried out.
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
