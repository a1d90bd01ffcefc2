# SPDX-License-Identifier: Apache-2.0
"""The backup driver that Cinder sees: it hands every call to the backend whose backup it is.

Set ``backup_driver = backup_dispatch.driver.BackupDispatcher``. Cinder makes an object of it for
every operation, in the context of that operation; the backends' drivers get the same context.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import Any

from cinder import exception, objects
from cinder.backup import driver as cinder_driver
from oslo_config import cfg

from backup_dispatch import (
    backend_calls,
    choosing,
    force,
    lineage,
    opts,
    records,
    routing,
    startup,
)
from backup_dispatch.backends.configured import Backend, Backends, configured
from backup_dispatch.drivers import ceph, folders, new_volumes
from backup_dispatch.errors import (
    BackendFailed,
    ConfigurationInvalid,
    DispatchError,
    OwnerUnresolved,
)
from backup_dispatch.ownership import NobodyHolds, Ownership, hint_of, write_down
from backup_dispatch.process import this_process
from backup_dispatch.routing import Choice

LOG = logging.getLogger(__name__)

CONF = cfg.CONF
CONF.register_opts(opts.OPTS)


class _NotGiven:
    """The caller did not pass the argument, so the backend's own default applies."""


NOT_GIVEN = _NotGiven()


class BackupDispatcher(cinder_driver.BackupDriver):
    """Hands each backup to one of several drivers."""

    VERSION = metadata.version("backup-dispatch")

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        # Of the class in Cinder's eyes; delete_backup() knows better for each backend.
        self.support_force_delete = True
        self._drivers: dict[str, Any] = {}
        # Cinder asks whether a record is ours before it asks us anything. What is wrong with the
        # configuration is told by check_for_setup_error(), where Cinder expects it.
        with suppress(ConfigurationInvalid):
            records.let_through(self._enabled)

    # What the manager calls

    def check_for_setup_error(self) -> None:
        """Begin to check the backends, and return at once.

        :raises CannotStart: the configuration is invalid. Whatever else may be wrong is
            one backend's matter and can pass.
        """
        enabled = startup.required(CONF)
        LOG.info(
            "Backups go to %s; the primary is %s.", ", ".join(enabled.names), enabled.primary.name
        )
        this_process().health(enabled, CONF)
        startup.look_around(enabled, CONF)

    def backup(
        self, backup: Any, volume_file: Any, backup_metadata: bool | _NotGiven = NOT_GIVEN
    ) -> Any:
        """Choose the backend, write it down, and let it back the volume up.

        :returns: what the backend returns: Cinder saves it in the record.
        :raises DispatchError: the backup is refused, or the backend failed.
        """
        try:
            choice = self._choose(backup)
            chosen = self._by_name(choice.backend)
            driver = self._driver_of(chosen)
            ceph.refuse_incremental_of_others(driver, backup, volume_file, chosen.name)
            folders.refuse_new(driver, backup, chosen.name)
        except DispatchError:
            _disown(backup)
            raise
        LOG.info("Backup %s goes to backend %s: %s.", backup.id, chosen.name, choice.because)
        # Before the first byte, so that whatever happens there is someone to clean up.
        write_down(backup, chosen)
        given = (
            {} if isinstance(backup_metadata, _NotGiven) else {"backup_metadata": backup_metadata}
        )
        with _blamed_on(chosen):
            return backend_calls.back_up(chosen, driver, backup, volume_file, given)

    def restore(
        self,
        backup: Any,
        volume_id: str,
        volume_file: Any,
        volume_is_new: bool | _NotGiven = NOT_GIVEN,
    ) -> Any:
        """Let the backup's owner restore it.

        :raises DispatchError: the owner is unknown or down, or failed.
        """
        owner = self._ownership.owner_of(backup)
        driver = self._driver_of(owner)
        folders.refuse_outside(driver, backup, owner.name)
        given = {} if isinstance(volume_is_new, _NotGiven) else {"volume_is_new": volume_is_new}
        if given.get("volume_is_new") and not new_volumes.may_be_told(driver, backup, volume_file):
            given = {"volume_is_new": False}
        with _blamed_on(owner):
            return backend_calls.restore(owner, driver, backup, (volume_id, volume_file), given)

    def delete_backup(self, backup: Any) -> Any:
        """Let the backup's owner delete it.

        :raises DispatchError: it is a parent, its owner is unknown or down, or the owner failed.
        """
        lineage.refuse_while_parent(backup)
        try:
            owner = self._ownership.owner_of(backup)
        except NobodyHolds as nobody:
            LOG.warning("There is nothing to delete of backup %s: %s", backup.id, nobody)
            return None
        driver = self._driver_of(owner)
        force.refuse_while_running(backup, driver, owner.name)
        folders.refuse_outside(driver, backup, owner.name)
        with _blamed_on(owner):
            return backend_calls.delete(owner, driver, backup)

    def export_record(self, backup: Any) -> Any:
        """What the backup's owner adds to an exported record.

        :raises DispatchError: the owner is unknown or down, or failed.
        """
        owner = self._ownership.owner_of(backup)
        with _blamed_on(owner):
            return self._driver_of(owner).export_record(backup)

    def import_record(self, backup: Any, driver_info: Any) -> Any:
        """Hand what an export added to the backend that added it.

        Cinder gives neither the exported owner nor the properties along. Where the record does not
        say, each backend whose driver takes imports is tried: a driver refuses what it cannot
        reach. The owner proper is found at the first touch after the import.

        :raises DispatchError: no backend takes it.
        """
        told = self._told_by_record(backup)
        if told is not None:
            return self._imported_by(told, backup, driver_info)
        if not driver_info:
            return None
        refusals: list[DispatchError] = []
        for backend in self._enabled.enabled:
            if _takes_imports(backend):
                try:
                    return self._imported_by(backend, backup, driver_info)
                except DispatchError as refusal:
                    refusals.append(refusal)
        if len(refusals) > 1:
            reasons = " ".join(str(refusal) for refusal in refusals)
            raise OwnerUnresolved(f"No backend takes the import of backup {backup.id}: {reasons}")
        if refusals:
            raise refusals[0]
        return None

    def _imported_by(self, backend: Backend, backup: Any, driver_info: Any) -> Any:
        with _blamed_on(backend):
            return self._driver_of(backend).import_record(backup, driver_info)

    def _told_by_record(self, backup: Any) -> Backend | None:
        if records.is_unresolved(backup.service):
            return self._enabled.named(hint_of(backup) or "")
        return records.recorded_owner(backup.id, backup.service, self._enabled)

    # How the backend is found

    @property
    def _enabled(self) -> Backends:
        return configured(CONF)

    @property
    def _ownership(self) -> Ownership:
        return Ownership(self._enabled, self._driver_of)

    def _by_name(self, name: str) -> Backend:
        backend = self._enabled.named(name)
        assert backend is not None, name  # noqa: S101 - names come from the enabled ones
        return backend

    def _driver_of(self, backend: Backend) -> Any:
        """The driver object of a backend that is up, one for this operation.

        :raises BackendDown: it is not up.
        :raises BackendFailed: its driver cannot even be made.
        """
        this_process().health(self._enabled, CONF).require(backend.name)
        if backend.name not in self._drivers:
            with _blamed_on(backend):
                self._drivers[backend.name] = backend.make(self.context)
        return self._drivers[backend.name]

    def _choose(self, backup: Any) -> Choice:
        """Where the backup goes; an incremental gets the parent that it builds on there.

        :raises DispatchError: it is refused.
        """
        request = routing.Request(
            name=backup.display_name,
            wanted=hint_of(backup),
            type_default=_type_default(backup),
        )
        choice = choosing.choose(request, self._enabled, CONF)
        if not backup.parent_id:
            return choice
        choice, parent = choosing.with_parent(
            backup, choice, self._enabled, self._ownership.owner_of
        )
        if parent.id != backup.parent_id:
            LOG.info(
                "Backup %s builds on backup %s of backend %s, not on %s.",
                backup.id,
                parent.id,
                choice.backend,
                backup.parent_id,
            )
            lineage.adopt_parent(backup, parent)
        return choice


def _disown(backup: Any) -> None:
    """Note that no backend has anything of this backup.

    With a parent, deleting the refused record would take one from the count of the parent's
    children, which it was never added to. With a service, it would need a backend to answer. It is
    not None, for Cinder's API looks into the text when it picks a parent.
    """
    backup.parent_id = None
    backup.parent = None
    backup.service = ""
    backup.save()


def _type_default(backup: Any) -> str | None:
    volume = objects.Volume.get_by_id(backup._context.elevated(), backup.volume_id)
    volume_type = volume.volume_type
    specs = (volume_type.extra_specs if volume_type else None) or {}
    value: str | None = specs.get(routing.EXTRA_SPEC)
    return value


def _takes_imports(backend: Backend) -> bool:
    """Whether the driver does anything with what an export added."""
    taken = backend.driver_class.import_record
    return taken is not cinder_driver.BackupDriver.import_record


@contextmanager
def _blamed_on(backend: Backend) -> Iterator[None]:
    """Let an error say which backend it comes from; a cancelled restore is none."""
    try:
        yield
    except (exception.BackupRestoreCancel, DispatchError):
        raise
    except Exception as error:
        raise BackendFailed(backend.name, error) from error
