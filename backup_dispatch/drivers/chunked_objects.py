# SPDX-License-Identifier: Apache-2.0
"""Reading what a chunked driver stored, so that an outage is never reported as damage.

An object is missing if the backend reports this twice, and answers before and after. Any other
error between here and the backend proves nothing about the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from backup_dispatch.drivers.chunked import HTTP_NOT_FOUND
from backup_dispatch.drivers.custody import asked
from backup_dispatch.errors import VerdictUnknown, chain_of, reason_of

T = TypeVar("T")

_NO_SUCH_OBJECT = ("NoSuchKey", str(HTTP_NOT_FOUND))


class ObjectDamaged(Exception):
    """The object is proven to be missing, or not to be what was stored."""


class ObjectUnread(Exception):
    """The object could not be read, which proves nothing."""


class ChunkedObjects:
    """The objects of one backend."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def listed(self, backup: Any) -> frozenset[str]:
        """The names of the backup's objects at the backend; none if there are none.

        :raises VerdictUnknown: the backend does not answer.
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
        """The parsed object; like :meth:`used`, for callers that need all of it at once.

        :param understand: parses the object's bytes; raises ObjectDamaged if they are wrong,
            ObjectUnread if that cannot be determined.
        """
        return self.used(backup, name, lambda reader: understand(reader.read()), **options)

    def used(self, backup: Any, name: str, use: Callable[[Any], T], **options: Any) -> T:
        """What is made of the object, read twice before it is considered damaged.

        A response that was truncated in transit looks like an object that was stored truncated.

        :param use: is given the driver's reader of the object, twice if it fails; raises
            ObjectDamaged if the bytes are wrong, ObjectUnread if that cannot be determined.
        :param options: for the driver's ``get_object_reader``.
        :raises ObjectDamaged: it is missing, or wrong.
        :raises ObjectUnread: it cannot be read, and the backend answers.
        :raises VerdictUnknown: the backend has stopped answering.
        """
        try:
            return self._use(backup, name, use, options)
        except VerdictUnknown:
            raise
        except Exception as first:
            self._require_answer(backup, first)
        try:
            return self._use(backup, name, use, options)
        except (VerdictUnknown, ObjectDamaged, ObjectUnread):
            raise
        except Exception as error:
            self._require_answer(backup, error)
            if _says_missing(error):
                raise ObjectDamaged("it is listed, and it is missing") from error
            if isinstance(error, (IsADirectoryError, NotADirectoryError)):
                raise ObjectDamaged(f"it cannot be read: {reason_of(error)}") from error
            raise ObjectUnread(reason_of(error)) from error

    def _use(self, backup: Any, name: str, use: Callable[[Any], T], options: dict[str, Any]) -> T:
        with self._driver.get_object_reader(backup.container, name, **options) as reader:
            return use(reader)

    def _require_answer(self, backup: Any, error: Exception) -> None:
        """Require that the backend still lists the backup's objects.

        :param error: the reason for asking.
        :raises VerdictUnknown: it does not.
        """
        try:
            self.listed(backup)
        except VerdictUnknown as silent:
            reason = f"the backend does not answer any more: {reason_of(error)}"
            raise VerdictUnknown(f"whether backup {backup.id} is whole: {reason}") from silent


def _says_missing(error: BaseException) -> bool:
    """Whether a read error of any of the drivers means that the object is absent."""
    return any(
        isinstance(one, FileNotFoundError)
        or getattr(one, "http_status", None) == HTTP_NOT_FOUND
        or str(getattr(getattr(one, "resp", None), "status", "")) == str(HTTP_NOT_FOUND)
        or _code_of_s3(one) in _NO_SUCH_OBJECT
        for one in chain_of(error)
    )


def _code_of_s3(error: BaseException) -> str:
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code")) if isinstance(answer, dict) else ""
