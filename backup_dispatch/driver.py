# SPDX-License-Identifier: Apache-2.0
"""The backup driver that Cinder loads: it passes every call on to the backend that owns the backup.

Set ``backup_driver = backup_dispatch.driver.BackupDispatcher``. Cinder creates an object of it for
every operation, in the context of that operation; the backends' drivers get the same context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from typing import Any

from cinder import exception
from cinder.backup import driver as cinder_driver
from oslo_config import cfg
from oslo_log import log as logging

from backup_dispatch import importing, lineage, opts, records, routing, startup
from backup_dispatch.backends.configured import Backend, Backends, configured
from backup_dispatch.calls import force, retirement, watched_calls
from backup_dispatch.calls.refusals import refusals_counted
from backup_dispatch.counting import textfile
from backup_dispatch.drivers import ceph, folders, new_volumes
from backup_dispatch.drivers.interface import SupportsForget
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import (
    BackendFailed,
    ChoiceFailed,
    ConfigurationInvalid,
    DispatchError,
)
from backup_dispatch.ownership import NeverWritten, NobodyHolds, Ownership, write_down
from backup_dispatch.process import this_process

LOG = logging.getLogger(__name__)

CONF = cfg.CONF
CONF.register_opts(opts.OPTS)


class _NotGiven:
    """The caller did not pass the argument, so the backend's own default applies."""


NOT_GIVEN = _NotGiven()


class BackupDispatcher(cinder_driver.BackupDriver):
    """Passes each backup on to one of several drivers."""

    VERSION = metadata.version("backup-dispatch")

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        # For Cinder, one answer for the class; delete_backup() checks each backend.
        self.support_force_delete = True
        self._drivers: dict[str, Any] = {}
        # Cinder decides whether a record is ours before it calls us. Configuration errors are
        # raised by check_for_setup_error(), where Cinder expects them.
        with suppress(ConfigurationInvalid):
            records.let_through(self._enabled)

    # Called by the manager

    def check_for_setup_error(self) -> None:
        """Begin to check the backends, and return at once.

        :raises CannotStart: the configuration is invalid. Any other problem concerns
            one backend and may be temporary.
        """
        enabled = startup.required(CONF)
        LOG.info(
            "Backups go to %s; the primary is %s.", ", ".join(enabled.names), enabled.primary.name
        )
        this_process().health(enabled, CONF)
        startup.look_around(enabled, CONF)
        textfile.start_writing(CONF)

    @refusals_counted("backup")
    def backup(
        self, backup: Any, volume_file: Any, backup_metadata: bool | _NotGiven = NOT_GIVEN
    ) -> Any:
        """Choose the backend, record it, and let it back the volume up.

        :returns: what the backend returns: Cinder saves it in the record.
        :raises DispatchError: the backup is refused, or the backend failed.
        """
        with _disowned_unless_chosen(backup):
            chosen, driver = self._choose(backup, volume_file)
            # Before the first byte, so that whatever happens the data has an owner to delete it.
            write_down(backup, chosen)
        if records.is_being_deleted(backup):
            LOG.info("Backup %s was deleted before its first byte was written.", backup.id)
            return None
        given = (
            {} if isinstance(backup_metadata, _NotGiven) else {"backup_metadata": backup_metadata}
        )
        with _blamed_on(chosen):
            return watched_calls.back_up(chosen, driver, backup, volume_file, given)

    @refusals_counted("restore")
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
            return watched_calls.restore(owner, driver, backup, (volume_id, volume_file), given)

    @refusals_counted("delete")
    def delete_backup(self, backup: Any) -> Any:
        """Let the backup's owner delete it.

        One that a retention policy deletes may have children, where these stand alone: they get
        its parent.

        :raises DispatchError: it is a parent, its owner is unknown or down, or the owner failed.
        """
        if records.is_unresolved(backup.service):
            # The API's object may be older than the choice of a backend.
            with backup.as_read_deleted():
                backup.refresh()
        if retirement.mark_of(backup):
            retirement.begin(backup)
            if self._forgotten(backup):
                return None
        lineage.refuse_while_parent(backup)
        try:
            owner = self._ownership.owner_of(backup)
        except NeverWritten as nothing:
            LOG.info("There is nothing to delete: %s", nothing)
            records.disown(backup)
            return None
        except NobodyHolds as nobody:
            LOG.warning("There is nothing to delete of backup %s: %s", backup.id, nobody)
            return None
        driver = self._driver_of(owner)
        force.refuse_while_running(backup, driver, owner.name)
        folders.refuse_outside(driver, backup, owner.name)
        other = records.other_record(driver, backup)
        if other is not None:
            LOG.info("The data of backup %s stays: backup %s has the same.", backup.id, other.id)
            return None
        with _blamed_on(owner):
            return watched_calls.delete(owner, driver, backup)

    def _forgotten(self, backup: Any) -> bool:
        """Whether it was deleted while its children live, because they stand alone.

        :raises DispatchError: one of them is busy, or the owner is down or failed.
        """
        children = retirement.children_of(backup)
        if not children or records.is_unresolved(backup.service):
            return False
        owner = self._ownership.owner_of(backup)
        if offered(owner.driver_class, SupportsForget) is None:
            return False
        driver = self._driver_of(owner)
        if not driver.children_stand_alone:
            return False
        retirement.refuse_while_child_is_busy(backup, children)
        with _blamed_on(owner):
            watched_calls.forget(owner, driver, backup)
        retirement.hand_children_over(backup)
        return True

    @refusals_counted("export")
    def export_record(self, backup: Any) -> Any:
        """Return what the backup's owner adds to an exported record.

        :raises DispatchError: the owner is unknown or down, or failed.
        """
        owner = self._ownership.owner_of(backup)
        with _blamed_on(owner):
            return self._driver_of(owner).export_record(backup)

    @refusals_counted("import")
    def import_record(self, backup: Any, driver_info: Any) -> Any:
        """Pass what an export added to the backend that added it.

        :raises DispatchError: no backend accepts it.
        """
        records.mark_import(backup)
        return importing.offer(
            backup,
            driver_info,
            self._enabled,
            lambda backend: self._imported_by(backend, backup, driver_info),
        )

    def _imported_by(self, backend: Backend, backup: Any, driver_info: Any) -> Any:
        with _blamed_on(backend):
            return self._driver_of(backend).import_record(backup, driver_info)

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
        :raises BackendFailed: its driver cannot be instantiated.
        """
        this_process().health(self._enabled, CONF).require(backend.name)
        if backend.name not in self._drivers:
            with _blamed_on(backend):
                self._drivers[backend.name] = backend.make(self.context)
        return self._drivers[backend.name]

    def _choose(self, backup: Any, volume_file: Any) -> tuple[Backend, Any]:
        """The backend that the backup goes to, and its driver; an incremental gets its parent.

        :raises DispatchError: it is refused.
        """
        choice = routing.choose(routing.request_of(backup), self._enabled, CONF)
        if backup.parent_id:
            choice, parent = routing.with_parent(
                backup, choice, self._enabled, self._ownership.owner_of, self._driver_of
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
        chosen = self._by_name(choice.backend)
        driver = self._driver_of(chosen)
        ceph.refuse_incremental_of_others(driver, backup, volume_file, chosen.name)
        folders.refuse_new(driver, backup, chosen.name)
        LOG.info("Backup %s goes to backend %s: %s.", backup.id, chosen.name, choice.because)
        return chosen, driver


@contextmanager
def _disowned_unless_chosen(backup: Any) -> Iterator[None]:
    """If no backend was chosen, note in the record that no data exists."""
    try:
        yield
    except Exception as error:
        try:
            records.disown(backup)
        except Exception:
            # Cinder saves it once more, with the reason.
            LOG.exception("That no backend has backup %s could not be saved.", backup.id)
        if isinstance(error, DispatchError):
            raise
        raise ChoiceFailed(backup.id, error) from error


@contextmanager
def _blamed_on(backend: Backend) -> Iterator[None]:
    """Name the backend in an error that it raises; a cancelled restore is not an error."""
    try:
        yield
    except (exception.BackupRestoreCancel, DispatchError):
        raise
    except Exception as error:
        raise BackendFailed(backend.name, error) from error
