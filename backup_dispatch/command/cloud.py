# SPDX-License-Identifier: Apache-2.0
"""The cloud that the commands work on: the records, and the backends without the service."""

from __future__ import annotations

import atexit
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cinder import context, coordination, exception, objects
from oslo_config import cfg
from oslo_utils import uuidutils

from backup_dispatch import backup_rows, opts, records
from backup_dispatch.backends.configured import Backend, Backends, configured
from backup_dispatch.backends.sections import section_of
from backup_dispatch.backup_rows import Filter, Row, Tally
from backup_dispatch.command.columns import shortened
from backup_dispatch.command.outcome import refuse
from backup_dispatch.drivers.custody import asked
from backup_dispatch.errors import (
    BackendDown,
    BackendFailed,
    DispatchError,
    NoUsersToken,
    OwnerUnresolved,
    reason_of,
)
from backup_dispatch.examination.side_by_side import answers
from backup_dispatch.examination.small_object import written_as_each_user
from backup_dispatch.jobs.runs import Runs, folder_of
from backup_dispatch.jobs.standing.model import Standing
from backup_dispatch.jobs.standing.reading import read, utc_now
from backup_dispatch.ownership import Ownership
from backup_dispatch.process import check_of

CONF = cfg.CONF

SHORT_ID = 8
"""Characters of an ID in a table; a prefix of at least this length identifies a backup."""
_BEGINS_AN_ID = re.compile(rf"[0-9a-fA-F][0-9a-fA-F-]{{{SHORT_ID - 1},}}")


class Cloud:
    """One Cinder, with its configuration."""

    def __init__(self) -> None:
        self._up: set[str] = set()
        self._owners: dict[str | None, Backend | None] = {}

    @cached_property
    def context(self) -> Any:
        """An administrator's."""
        return context.get_admin_context()

    @cached_property
    def enabled(self) -> Backends:
        """The backends.

        :raises ConfigurationInvalid: the options are invalid.
        """
        return configured(CONF)

    @property
    def is_configured(self) -> bool:
        """Whether cinder.conf sets any of the dispatcher's backends."""
        return any(CONF[name] for name in (opts.ENABLED, opts.SECONDARIES, opts.PRIMARY))

    @property
    def deadline(self) -> float:
        """Seconds for a backend to answer its check."""
        return float(CONF[opts.CHECK_TIMEOUT])

    # Backends

    def backend(self, name: str) -> Backend:
        """The backend of that name.

        :raises CommandEnded: there is none.
        """
        found = self.enabled.named(name)
        if found is None:
            names = ", ".join(self.enabled.names)
            refuse(f"There is no backend {name}; enabled are {names}.")
        return found

    def section(self, backend: Backend) -> str:
        """The section of cinder.conf that is the backend's own; empty if there is none."""
        return backend.name if CONF[opts.ENABLED] and section_of(backend.name, CONF) else ""

    def is_up(self, backend: Backend) -> bool:
        """Whether the backend passed its check, which is run for the first driver object."""
        return backend.name in self._up

    def driver(self, backend: Backend, backup: Any) -> Any:
        """A driver object of a backend that is up, for an operation on the backup.

        :raises NoUsersToken: only users' own requests can use it.
        :raises BackendDown: it is not up.
        :raises BackendFailed: the object cannot be created.
        """
        if written_as_each_user(backend):
            raise NoUsersToken(backend.name)
        return self._made(backend, _on_behalf_of(backup))

    def operators_driver(self, backend: Backend) -> Any:
        """A driver object of a backend that is up, for operations without a single backup.

        :raises BackendDown: it is not up.
        :raises BackendFailed: the object cannot be created.
        """
        return self._made(backend, self.context)

    @staticmethod
    def start_coordination() -> None:
        """Start the coordination, as the service does, so that drivers can take the same locks."""
        if not coordination.COORDINATOR.started:
            coordination.COORDINATOR.start()
            atexit.register(coordination.COORDINATOR.stop)

    def _made(self, backend: Backend, on_behalf: Any) -> Any:
        self.start_coordination()
        if backend.name not in self._up:
            (answer,) = answers({backend.name: check_of(backend)}, self.deadline).values()
            if not answer.up:
                raise BackendDown(backend.name, answer.reason)
            self._up.add(backend.name)
        try:
            return backend.make(on_behalf)
        except Exception as error:
            raise BackendFailed(backend.name, error) from error

    def asked(self, backend: Backend, backup: Any) -> tuple[bool | None, str]:
        """Whether the backend reports that it has the backup's data.

        :returns: True or False if that is certain; else None, and the reason.
        """
        try:
            answer = asked(self.driver(backend, backup), backup)
        except DispatchError as error:
            return None, error.full_text
        except Exception as error:
            return None, reason_of(error)
        return answer, "" if answer is not None else "its driver cannot tell"

    # Records

    def backup(self, reference: str) -> Any:
        """The record with that ID, that unique name, or that prefix of its ID.

        :raises CommandEnded: there is none, or there are several.
        """
        if uuidutils.is_uuid_like(reference):
            try:
                return objects.Backup.get_by_id(self.context, reference)
            except exception.BackupNotFound:
                refuse(f"There is no backup {reference}.")
        found = list(objects.BackupList.get_all(self.context, filters={"display_name": reference}))
        if not found and _BEGINS_AN_ID.fullmatch(reference):
            found = list(self.backups(Filter(id_begins=reference.lower())))
        if not found:
            refuse(f"There is no backup with the id or the name {reference}.")
        if len(found) > 1:
            ids = shortened([one.id for one in found])
            refuse(f"{reference} is ambiguous; give a full ID: {ids}.")
        return found[0]

    def standing(self, deadline: float | None) -> Standing:
        """How all backups, volumes and backends stand.

        :param deadline: seconds for each backend to be examined; None: none is asked.
        :raises ConfigurationInvalid: the options are invalid.
        """
        return read(self.context, self.enabled, conf=CONF, runs=self.runs, deadline=deadline)

    @property
    def runs(self) -> Runs:
        """The runs of this host's jobs."""
        return Runs(folder_of(CONF), utc_now)

    def tallies(self) -> list[Tally]:
        """The number of records of all projects, by ``service``."""
        return backup_rows.tallies(self.context)

    def has_any(self, wanted: Filter) -> bool:
        """Whether there is such a record."""
        return next(self.rows(wanted), None) is not None

    def rows(self, wanted: Filter) -> Iterator[Row]:
        """The rows of these records, by ID."""
        return backup_rows.rows(self.context, wanted)

    def backups(self, wanted: Filter) -> Iterator[Any]:
        """These records as Cinder's objects, for changing them and for drivers."""
        ids = [row.id for row in self.rows(wanted)]
        return backup_rows.objects_of(self.context, ids)

    # Owners

    def recorded_owner(self, backup: Any) -> Backend:
        """The backend that the record names.

        :raises OwnerUnresolved: it names none that is enabled.
        """
        return records.recorded_owner(backup.id, backup.service or "", self.enabled)

    def owner_by(self, service: str | None) -> Backend | None:
        """The enabled backend that a record with this ``service`` names, or None."""
        if service not in self._owners:
            try:
                found = records.recorded_owner("", service or "", self.enabled)
            except OwnerUnresolved:
                found = None
            self._owners[service] = found
        return self._owners[service]

    def names_no_enabled(self, service: str) -> bool:
        """Whether a record with this ``service`` names a backend or driver that is not enabled."""
        return not records.is_unresolved(service) and self.owner_by(service) is None

    def owner(self, backup: Any) -> Backend:
        """The backend that the record names, or that reports that it has the data.

        Nothing is saved.

        :raises OwnerUnresolved: that is not certain, or no data of the backup was ever written.
        """
        return Ownership(self.enabled, lambda backend: self.driver(backend, backup)).find(backup)


def _on_behalf_of(backup: Any) -> Any:
    """An administrator's context with the backup's user and project.

    Cinder's Swift driver does not even connect without a user.
    """
    return context.RequestContext(
        user_id=backup.user_id, project_id=backup.project_id, is_admin=True, overwrite=False
    )
