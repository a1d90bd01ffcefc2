# SPDX-License-Identifier: Apache-2.0
"""The owner of a backup: read from the record, or found and then recorded.

After an import the record only says that it was imported. The owner is then found at the first
operation: the record gives a hint, the backend confirms it. What cannot be confirmed remains
unresolved, and nothing is done to the backup.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslo_log import log as logging

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.custody import asked, cannot_hold, is_configured_for
from backup_dispatch.errors import DispatchError, FolderEmpty, OwnerUnresolved, reason_of
from backup_dispatch.rules import PROPERTY

LOG = logging.getLogger(__name__)


class NobodyHolds(OwnerUnresolved):
    """Every enabled backend is up and has no data of the backup."""


class NeverWritten(NobodyHolds):
    """The backup failed before any backend was called for it."""

    def __init__(self, backup: Any) -> None:
        super().__init__(
            f"Backup {backup.id} failed before any backend was called for it: nothing of it is "
            "stored anywhere. Delete it."
        )


class SeveralHold(OwnerUnresolved):
    """More than one backend has data of the backup."""


class Ownership:
    """Finds owners among the enabled backends.

    :param enabled: the backends.
    :param driver_of: creates the driver object of a backend; raises a DispatchError if it is down.
    """

    def __init__(self, enabled: Backends, driver_of: Callable[[Backend], Any]) -> None:
        self._enabled = enabled
        self._driver_of = driver_of

    def owner_of(self, backup: Any) -> Backend:
        """The backend that has the backup's data; saved in the record if it was not there.

        :raises NeverWritten: no data of it was ever written.
        :raises NobodyHolds: for certain, no enabled backend has it.
        :raises OwnerUnresolved: that is not certain, or the backend is not enabled.
        """
        owner = self.find(backup)
        if records.is_unresolved(backup.service):
            LOG.info("Backup %s is held by backend %s.", backup.id, owner.name)
            write_down(backup, owner)
        return owner

    def find(self, backup: Any) -> Backend:
        """Like :meth:`owner_of`, but nothing is saved."""
        if not records.is_unresolved(backup.service):
            return records.recorded_owner(backup.id, backup.service, self._enabled)
        if records.was_disowned(backup):
            raise NeverWritten(backup)
        try:
            return self._ask_for(backup)
        except SeveralHold:
            raise
        except OwnerUnresolved as unresolved:
            if records.shows_nothing_written(backup):
                raise NeverWritten(backup) from unresolved
            raise

    def _ask_for(self, backup: Any) -> Backend:
        """The backend that certainly has the backup's data."""
        hinted = self._enabled.named(hint_of(backup) or "")
        answers: dict[str, bool | None] = {}
        at_home: list[Backend] = []
        silent: dict[str, str] = {}
        empty: list[str] = []
        for backend in sorted(self._enabled.enabled, key=lambda one: one is not hinted):
            try:
                answer, reason = self._asked(backend, backup)
            except FolderEmpty as nothing:
                answer, reason = None, f"{backend.name}: {nothing.full_text}"
                empty.append(backend.name)
            answers[backend.name] = answer
            if answer is None:
                silent[backend.name] = reason
            if not answer:
                continue
            # The name may be from another cloud, and two backends of one store both find the data.
            configured = is_configured_for(self._driver_of(backend), backup)
            if backend is hinted and configured is not False:
                return backend
            if configured:
                at_home.append(backend)
        if any(answers.values()):
            # Data that one backend has need not be on a share that may not be mounted.
            for name in empty:
                answers[name] = False
                del silent[name]
        if len(at_home) == 1 and not silent:
            return at_home[0]
        if hinted is not None and answers[hinted.name]:
            return hinted
        return self._only_holder(backup, answers, silent)

    def _only_holder(
        self, backup: Any, answers: dict[str, bool | None], silent: dict[str, str]
    ) -> Backend:
        holders = [name for name, answer in answers.items() if answer]
        if len(holders) == 1 and not silent:
            found = self._enabled.named(holders[0])
            assert found is not None  # noqa: S101 - it is one of the names asked
            return found
        if len(holders) > 1:
            raise SeveralHold(
                f"Backup {backup.id}: several backends have data of it: {', '.join(holders)}. "
                f"Set its property {PROPERTY} to the right one."
            )
        if silent:
            raise OwnerUnresolved(
                f"Backup {backup.id}: its record names no backend, and {_and(list(silent))} did "
                f"not say whether the data is there{_others(holders)} "
                f"({'; '.join(silent.values())}). Try again when all backends are up."
            )
        raise NobodyHolds(
            f"Backup {backup.id}: its record names no backend, and none of "
            f"{', '.join(answers)} has its data. Enable the backend that has it."
        )

    def _asked(self, backend: Backend, backup: Any) -> tuple[bool | None, str]:
        """The backend's answer, and if that is not known, the reason.

        :raises FolderEmpty: its folder may be the mount point of a share that is not mounted.
        """
        if cannot_hold(backend.driver_class, backup):
            return False, ""
        try:
            answer = asked(self._driver_of(backend), backup)
            reason = f"{backend.name}: its driver cannot tell"
        except FolderEmpty:
            raise
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
