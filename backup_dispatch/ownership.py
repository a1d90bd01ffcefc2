# SPDX-License-Identifier: Apache-2.0
"""Whose backup is it: read from the record, or found and then written down.

After an import Cinder overwrites ``backup.service`` with the dispatcher's own name. The owner is
then found at the first touch: the record gives a hint, the backend confirms it. What cannot be
confirmed stays unresolved, and nothing is done to the backup.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.custody import asked
from backup_dispatch.errors import DispatchError, OwnerUnresolved, reason_of
from backup_dispatch.routing import PROPERTY

LOG = logging.getLogger(__name__)


class NobodyHolds(OwnerUnresolved):
    """Every enabled backend is up and has nothing of the backup."""


class Ownership:
    """Finds owners among the enabled backends.

    :param enabled: the backends.
    :param driver_of: makes the driver object of a backend; raises a DispatchError if it is down.
    """

    def __init__(self, enabled: Backends, driver_of: Callable[[Backend], Any]) -> None:
        self._enabled = enabled
        self._driver_of = driver_of

    def owner_of(self, backup: Any) -> Backend:
        """The backend that has the backup's data; written into the record if it was not there.

        :raises NobodyHolds: for certain, no enabled backend has it.
        :raises OwnerUnresolved: that is not certain, or the backend is not enabled.
        """
        if not records.is_unresolved(backup.service):
            return records.recorded_owner(backup.id, backup.service, self._enabled)
        owner = self.ask_for(backup)
        LOG.info("Backup %s is held by backend %s.", backup.id, owner.name)
        write_down(backup, owner)
        return owner

    def ask_for(self, backup: Any) -> Backend:
        """The backend that says for certain that it has the backup's data; nothing is written.

        :raises NobodyHolds: for certain, no enabled backend has it.
        :raises OwnerUnresolved: that is not certain.
        """
        hinted = self._enabled.named(hint_of(backup) or "")
        answers: dict[str, bool | None] = {}
        reasons: list[str] = []
        for backend in sorted(self._enabled.enabled, key=lambda one: one is not hinted):
            answer, reason = self._asked(backend, backup)
            answers[backend.name] = answer
            if answer is None:
                reasons.append(reason)
            if answer and backend is hinted:
                return backend
        holders = [name for name, answer in answers.items() if answer]
        unknown = [name for name, answer in answers.items() if answer is None]
        if len(holders) == 1 and not unknown:
            found = self._enabled.named(holders[0])
            assert found is not None  # noqa: S101 - it is one of the names asked
            return found
        if len(holders) > 1:
            raise OwnerUnresolved(
                f"Backup {backup.id}: several backends have data of it: {', '.join(holders)}. "
                f"Set its property {PROPERTY} to the right one."
            )
        if unknown:
            raise OwnerUnresolved(
                f"Backup {backup.id}: its record names no backend, and {_and(unknown)} did not say "
                f"whether the data is there{_others(holders)}. Try again when all backends are up. "
                f"({'; '.join(reasons)})"
            )
        raise NobodyHolds(
            f"Backup {backup.id}: its record names no backend, and none of "
            f"{', '.join(answers)} has its data. Enable the backend that has it."
        )

    def _asked(self, backend: Backend, backup: Any) -> tuple[bool | None, str]:
        """What the backend says, and if that is nothing, why."""
        try:
            answer = asked(self._driver_of(backend), backup)
            reason = f"{backend.name}: its driver cannot tell"
        except DispatchError as error:
            answer, reason = None, error.full_text
        except Exception as error:
            answer, reason = None, f"{backend.name}: {reason_of(error)}"
        if answer is None:
            LOG.warning("Backup %s: %s", backup.id, reason)
        return answer, reason


def hint_of(backup: Any) -> str | None:
    """The backend that the backup's property names; users can edit it."""
    return (backup.metadata or {}).get(PROPERTY)


def write_down(backup: Any, owner: Backend) -> None:
    """Save the owner in the record: for Cinder in ``service``, for users as a property."""
    backup.service = owner.owner
    backup.metadata = {**(backup.metadata or {}), PROPERTY: owner.name}
    backup.save()


def _and(names: list[str]) -> str:
    return " and ".join(names)


def _others(holders: list[str]) -> str:
    return f" (while {_and(holders)} has some)" if holders else ""
