# SPDX-License-Identifier: Apache-2.0
"""Reading what a chunked driver stored, so that an outage is never told as damage.

An object is missing if the backend says so twice, and answers before and after. Whatever else goes
wrong between here and the backend says nothing about the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from backup_dispatch.drivers.custody import HTTP_NOT_FOUND, asked
from backup_dispatch.errors import VerdictUnknown, reason_of

T = TypeVar("T")

_NO_SUCH_OBJECT = ("NoSuchKey", str(HTTP_NOT_FOUND))


class ObjectDamaged(Exception):
    """The object is not there, or is not what was stored: proven."""


class ObjectUnread(Exception):
    """The object could not be read, which proves nothing."""


class ChunkedObjects:
    """The objects of one backend."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def listed(self, backup: Any) -> frozenset[str]:
        """The names of what the backend has of the backup; none if it has nothing.

        :raises VerdictUnknown: the backend does not say.
        """
        question = f"what the backend has of backup {backup.id}"
        try:
            there = asked(self._driver, backup)
            if there is None:
                raise VerdictUnknown(f"{question}: its driver cannot tell")
            if not there:
                return frozenset()
            entries = self._driver.get_container_entries(backup.container, backup.service_metadata)
        except VerdictUnknown:
            raise
        except Exception as error:
            raise VerdictUnknown(f"{question}: {reason_of(error)}") from error
        return frozenset(entries)

    def understood(
        self, backup: Any, name: str, understand: Callable[[bytes], T], **options: Any
    ) -> T:
        """What an object says, read twice before it is called damaged.

        An answer that was cut short on its way does not look different from one that was stored so.

        :param understand: from the object's bytes; raises ObjectDamaged if they are not right,
            ObjectUnread if it cannot tell.
        :param options: for the driver's ``get_object_reader``.
        :raises ObjectDamaged: it is missing, or wrong.
        :raises ObjectUnread: it cannot be read, and the backend answers.
        :raises VerdictUnknown: the backend does not answer any more.
        """
        try:
            return understand(self._read(backup, name, options))
        except VerdictUnknown:
            raise
        except Exception as first:
            self._require_answer(backup, first)
        try:
            return understand(self._read(backup, name, options))
        except (VerdictUnknown, ObjectDamaged, ObjectUnread):
            raise
        except Exception as error:
            self._require_answer(backup, error)
            if _says_missing(error):
                raise ObjectDamaged("it is listed, and it is missing") from error
            if isinstance(error, (IsADirectoryError, NotADirectoryError)):
                raise ObjectDamaged(f"it cannot be read: {reason_of(error)}") from error
            raise ObjectUnread(reason_of(error)) from error

    def _read(self, backup: Any, name: str, options: dict[str, Any]) -> bytes:
        with self._driver.get_object_reader(backup.container, name, **options) as reader:
            body: bytes = reader.read()
        return body

    def _require_answer(self, backup: Any, error: Exception) -> None:
        """Require that the backend still answers what it has of the backup.

        :param error: what made one ask.
        :raises VerdictUnknown: it does not.
        """
        try:
            self.listed(backup)
        except VerdictUnknown as silent:
            reason = f"the backend does not answer any more: {reason_of(error)}"
            raise VerdictUnknown(f"whether backup {backup.id} is whole: {reason}") from silent


def _says_missing(error: BaseException) -> bool:
    """Whether the error of a reading means that the object is absent, in any driver's way."""
    return any(
        isinstance(one, FileNotFoundError)
        or getattr(one, "http_status", None) == HTTP_NOT_FOUND
        or str(getattr(getattr(one, "resp", None), "status", "")) == str(HTTP_NOT_FOUND)
        or _code_of_s3(one) in _NO_SUCH_OBJECT
        for one in _with_causes(error)
    )


def _code_of_s3(error: BaseException) -> str:
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code")) if isinstance(answer, dict) else ""


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
