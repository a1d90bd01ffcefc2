# SPDX-License-Identifier: Apache-2.0
"""Records that name a backend under an old name, and the backend that has their data now.

After a section of cinder.conf is renamed, its records still say ``CLASS@OLD``. Those
of the first backend of a class say only ``CLASS``, which belongs to another backend as soon as
another comes first or adopts. With a wrong owner Cinder would restore and delete elsewhere: so
the backend is asked for each backup, and a record is changed only if it has the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cinder import exception, objects
from cinder.objects import fields

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backup_rows import Filter
from backup_dispatch.command.cloud import Cloud
from backup_dispatch.command.columns import name_in
from backup_dispatch.command.outcome import misused, refuse
from backup_dispatch.drivers.custody import holds
from backup_dispatch.errors import DispatchError
from backup_dispatch.ownership import write_down

BUSY = (
    fields.BackupStatus.CREATING,
    fields.BackupStatus.DELETING,
    fields.BackupStatus.RESTORING,
)
"""Statuses of a backup with an operation in progress."""


@dataclass(frozen=True)
class Left:
    """A record that is left unchanged, and why.

    :ivar known: False if the reason is that something could not be determined.
    """

    backup_id: str
    why: str
    known: bool = True


class Renaming:
    """The records of one old name, to be assigned to one backend.

    :param old: the old name, or the class path if the records name no backend.
    :param force: assign them even if the backend does not know whether it has the data.
    :raises CommandEnded: no record has that name, they are another enabled backend's, or the
        backend's driver is not theirs and could not read them.
    """

    def __init__(self, cloud: Cloud, old: str, backend: Backend, *, force: bool = False) -> None:
        self._cloud = cloud
        self._backend = backend
        self._force = force
        self._services = self._of(old)
        # A text without a backend's name may belong to an enabled one: it is asked too.
        self._others = [
            one
            for service in self._services
            if (one := cloud.owner_by(service)) is not None and one != backend
        ]

    def _of(self, old: str) -> list[str]:
        """The values of ``service`` in the records of that name."""
        named, enabled = self._backend.name, self._cloud.enabled.named(old)
        if enabled is not None:
            misused(
                f"Backend {enabled.name} is enabled, so its records are its own. Only records of a "
                f"name that is not enabled any more can be given to {named}."
            )
        found = []
        for service in (one.service for one in self._cloud.tallies()):
            if service and old.lower() in (name_in(service).lower(), service.lower()):
                if not records.names_class_of(self._backend, service):
                    path = service.partition("@")[0]
                    refuse(
                        f"The records of {old} are of the driver {path}, and backend {named} has "
                        f"another, {self._backend.class_path}, which cannot read their data."
                    )
                found.append(service)
        if not found:
            refuse(f"No record says that it is held by {old}: there is nothing to adopt.")
        return [one for one in found if one != self._backend.owner]

    def sort(self, tell: Callable[[int, int], None]) -> tuple[list[str], list[Left]]:
        """Ask the backend for each backup; nothing is saved.

        :param tell: called with how many have been asked for, and the total.
        :returns: the IDs of those that it has, and the others.
        """
        wanted = Filter(services=self._services)
        total = sum(1 for _ in self._cloud.rows(wanted))
        theirs, left = [], []
        for done, backup in enumerate(self._cloud.backups(wanted)):
            tell(done, total)
            reason = self._against(backup)
            if reason is None:
                theirs.append(backup.id)
            else:
                left.append(reason)
        return theirs, left

    def _against(self, backup: Any) -> Left | None:
        """Why the record must not be changed; None if it may be."""
        if backup.status in BUSY:
            return Left(backup.id, f"it is {backup.status}: wait until that has ended")
        for other in self._others:
            if self._asked(other, backup) is not False:
                why = f"it may be held by {other.name}, which did not say that it has nothing of it"
                return Left(backup.id, why, known=False)
        try:
            answer = holds(self._cloud.driver(self._backend, backup), backup)
        except DispatchError as error:
            return Left(backup.id, error.full_text, known=False)
        if answer is False:
            return Left(backup.id, f"{self._backend.name} has nothing of it")
        if answer is None and not self._force:
            why = f"{self._backend.name} cannot tell whether it has it; --force sets it anyway"
            return Left(backup.id, why, known=False)
        return None

    def _asked(self, backend: Backend, backup: Any) -> bool | None:
        try:
            return holds(self._cloud.driver(backend, backup), backup)
        except DispatchError:
            return None

    def adopt(self, ids: list[str]) -> Iterator[str | Left]:
        """Save the backend in these records, one by one.

        Records that have changed since the backend was asked are left for the next run.

        :returns: the ID of each that is done, or why it was not changed.
        """
        for one in ids:
            try:
                backup = objects.Backup.get_by_id(self._cloud.context, one)
            except exception.BackupNotFound:
                yield Left(one, "it has been deleted meanwhile")
                continue
            if backup.service not in self._services or backup.status in BUSY:
                yield Left(one, "its record has been changed meanwhile", known=False)
                continue
            write_down(backup, self._backend)
            yield one
