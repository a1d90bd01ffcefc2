# SPDX-License-Identifier: Apache-2.0
"""Errors between Cinder and a backup's backend.

Cinder writes the text of an exception into the backup's ``fail_reason``, the only place where a
user sees it: so each text is one line, fits that column, names the backend if it is known, and
ends with the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cinder import exception
from oslo_config import cfg

FAIL_REASON_LIMIT = 255
"""Maximum length of ``backup.fail_reason``; some databases refuse a longer text."""


_LOCATION = re.compile(r"LocationInfo\(location=.*?, detail=(['\"])(.*?)\1\)")


def one_line(text: str) -> str:
    """The text without line breaks and without repeated blanks.

    oslo.config's messages contain the ``repr`` of a ``LocationInfo``: only the file is kept,
    or "the configuration".
    """
    return " ".join(_LOCATION.sub(lambda found: found[2] or "the configuration", text).split())


def fitting(text: str, limit: int = FAIL_REASON_LIMIT) -> str:
    """The text, truncated to ``limit`` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names for a message: sorted, with commas; ``none`` when there are none."""
    return ", ".join(sorted(names)) or "none"


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, what caused that, and so on, each once.

    A chain may lead back to where it began: some code raises again what it caught before.
    """
    seen: list[BaseException] = []
    while error is not None and not any(error is one for one in seen):
        yield error
        seen.append(error)
        error = error.__cause__ or error.__context__


def reason_of(error: BaseException) -> str:
    """An exception's message, in one line.

    The texts of Cinder's and oslo.config's exceptions are sentences. Those of others often mean
    nothing without their type: the text of ``KeyError('Contents')`` is ``'Contents'``.
    """
    text = one_line(str(error))
    if isinstance(error, (exception.CinderException, cfg.Error)) and text:
        return text
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


class DispatchError(exception.BackupDriverException):
    """A call could not reach its backend, or the backend failed.

    :ivar full_text: the message in one line, not truncated; for the log.
    """

    def __init__(self, text: str) -> None:
        self.full_text = one_line(text)
        super().__init__(fitting(self.full_text))


class ConfigurationInvalid(DispatchError):
    """The service's configuration of its backends is invalid."""


class ChoiceRefused(DispatchError):
    """The backup asks for a backend that it cannot have, or for two at once."""


class ContainerRefused(DispatchError):
    """The backup's container would be outside what belongs to its backend."""


class FolderEmpty(DispatchError):
    """The backend's folder is empty, which proves nothing about a backup in it."""


class ChoiceFailed(DispatchError):
    """Choosing a backend failed; ``__cause__`` is the reason."""

    def __init__(self, backup_id: str, error: BaseException) -> None:
        super().__init__(f"No backend could be chosen for backup {backup_id}: {reason_of(error)}")


class BackendDown(DispatchError):
    """The backend failed its check, or has not answered yet."""

    def __init__(self, backend: str, reason: str) -> None:
        self.backend = backend
        super().__init__(f"Backup backend {backend} is down: {reason}")


class NoUsersToken(BackendDown):
    """It cannot be used here: it keeps backups by its users' own tokens, and there is no user."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        DispatchError.__init__(
            self,
            f"Backup backend {backend} is Swift with backup_swift_auth = per_user: only requests "
            "of users have the token that it needs, and this command has none.",
        )


class Unfit(exception.BackupDriverException):
    """Examining the backend found that nothing works; the whole text is the reason."""

    message = "%(reason)s"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class BackendFailed(DispatchError):
    """The backend's driver raised an exception, which is ``__cause__``."""

    def __init__(self, backend: str, error: BaseException) -> None:
        self.backend = backend
        super().__init__(f"Backup backend {backend} failed: {reason_of(error)}")


class BackendStalled(DispatchError):
    """A call of the backend made no progress for too long; it may still hang.

    :param last: the last progress that was seen, and when.
    :param by_volume: the volume does not answer, rather than the backend.
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
    """The answer is neither yes nor no: it could not be determined."""


class ScratchFull(VerdictUnknown):
    """The scratch folder does not take what has to be unpacked or restored there."""

    def __init__(self, folder: object, error: OSError) -> None:
        super().__init__(
            f"The scratch folder {folder} does not take the backup's data: {error.strerror}. Name "
            "another one."
        )


class DataDamaged(DispatchError):
    """What is needed to find a backup's data is damaged: none of it can be read."""


class SampleRefused(DispatchError):
    """The driver can only read a complete backup."""


class ParentRefused(DispatchError):
    """An incremental has no parent on the backend that it must go to."""


class StillAParent(DispatchError):
    """The backup to delete is the parent of an existing one."""


class ForceDeleteRefused(DispatchError):
    """The backup is being created, by a backend that cannot delete it meanwhile."""


class CopyFailed(DispatchError):
    """A copy of a backup was not made, or its source not removed; nothing was lost."""


class SourceDamaged(CopyFailed):
    """The backup to copy is proven to be damaged."""
