# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between Cinder and a backup's backend.

Cinder writes the text of an exception into the backup's ``fail_reason``, the only place where a
user reads it: so each text is one line, fits that column, names the backend where one is known, and
ends with the way out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cinder import exception
from oslo_config import cfg

FAIL_REASON_LIMIT = 255
"""Characters that ``backup.fail_reason`` holds; some databases refuse a longer text."""


_LOCATION = re.compile(r"LocationInfo\(location=.*?, detail=(['\"])(.*?)\1\)")


def one_line(text: str) -> str:
    """The text without line breaks and without repeated blanks.

    Of oslo.config's ``LocationInfo(...)``, which stands in its messages as Python writes it, the
    place remains: a file, or nothing but "the configuration".
    """
    return " ".join(_LOCATION.sub(lambda found: found[2] or "the configuration", text).split())


def fitting(text: str, limit: int = FAIL_REASON_LIMIT) -> str:
    """The text, cut to ``limit`` characters; what is cut off shows as an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names for a message: sorted, with commas; ``none`` when there are none."""
    return ", ".join(sorted(names)) or "none"


def reason_of(error: BaseException) -> str:
    """What an exception says for itself, in one line.

    The texts of Cinder's and oslo.config's exceptions are sentences. Others often say nothing
    without their type: the text of ``KeyError('Contents')`` is ``'Contents'``.
    """
    text = one_line(str(error))
    if isinstance(error, (exception.CinderException, cfg.Error)) and text:
        return text
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


class DispatchError(exception.BackupDriverException):
    """Anything that keeps a call from its backend, or that the backend did wrong.

    :ivar full_text: the message, one line, however long; for the log.
    """

    def __init__(self, text: str) -> None:
        self.full_text = one_line(text)
        super().__init__(fitting(self.full_text))


class ConfigurationInvalid(DispatchError):
    """The service's configuration names backends that cannot be: it must be changed."""


class ChoiceRefused(DispatchError):
    """The backup asks for a backend that it cannot have, or for two at once."""


class ContainerRefused(DispatchError):
    """The backup's container would be outside what belongs to its backend."""


class FolderEmpty(DispatchError):
    """There is nothing in the backend's folder, and so nothing can be said of a backup there."""


class ChoiceFailed(DispatchError):
    """Something went wrong while a backend was chosen: ``__cause__`` is what."""

    def __init__(self, backup_id: str, error: BaseException) -> None:
        super().__init__(f"No backend could be chosen for backup {backup_id}: {reason_of(error)}")


class BackendDown(DispatchError):
    """The backend failed its check, or has not answered it yet."""

    def __init__(self, backend: str, reason: str) -> None:
        self.backend = backend
        super().__init__(f"Backup backend {backend} is down: {reason}")


class Unfit(exception.BackupDriverException):
    """A look at the backend says that nothing works, and why: the whole text is the reason."""

    message = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class BackendFailed(DispatchError):
    """The backend's driver raised: ``__cause__`` is what it raised."""

    def __init__(self, backend: str, error: BaseException) -> None:
        self.backend = backend
        super().__init__(f"Backup backend {backend} failed: {reason_of(error)}")


class BackendStalled(DispatchError):
    """In a call of the backend nothing has moved for too long; the call may still hang.

    :param last: what was seen last, and when.
    :param by_volume: it is the volume that does not answer, and not the backend.
    """

    def __init__(self, backend: str, last: str, by_volume: bool = False) -> None:
        self.backend = backend
        whose = "its volume" if by_volume else f"backup backend {backend}"
        super().__init__(
            f"Timed out waiting for {whose}: nothing moves, {last}. Look into the "
            f"{'volume' if by_volume else 'backend'}, then try again."
        )


class OwnerUnresolved(DispatchError):
    """Which backend has the backup's data is not known for certain."""


class VerdictUnknown(DispatchError):
    """The answer is neither yes nor no: what was asked could not be found out."""


class SampleRefused(DispatchError):
    """The driver can only read a backup whole."""


class ParentRefused(DispatchError):
    """An incremental has no parent on the backend that it must go to."""


class StillAParent(DispatchError):
    """The backup to delete is the parent of a living one."""


class ForceDeleteRefused(DispatchError):
    """The backup is being made, by a backend that cannot delete it meanwhile."""
