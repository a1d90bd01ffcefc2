# SPDX-License-Identifier: Apache-2.0
"""The Datera backup driver: what Cinder calls.

A backup goes into a container, an app instance with one volume that holds a full backup and the
incrementals after it. What stands where in a container is the business of
:mod:`datera_backup.container`, how bytes get there that of :mod:`datera_backup.engine`.
"""

from __future__ import annotations

import _thread
import importlib.util
import time
from typing import Any, BinaryIO, cast

from cinder import exception
from cinder.backup import driver
from cinder.objects import fields
from oslo_config import cfg
from oslo_log import log as logging

from datera_backup import cinder_record, exported
from datera_backup.base import CONF, traced
from datera_backup.container import GIB, Commit
from datera_backup.dispatcher_interface import DispatcherInterface
from datera_backup.engine import past_the_cache
from datera_backup.error_mapping import translated
from datera_backup.errors import BackupIncomplete
from datera_backup.native_thread import in_native_thread, unwrapped
from datera_backup.operations import restore_backup, volumes
from datera_backup.operations.create_backup import CreateBackup
from datera_backup.operations.progress import (
    BackupCancelled,
    BackupWatch,
    Reporting,
    RestoreWatch,
    Watch,
    concurrency_slot,
)
from datera_backup.opts import OPTS
from datera_backup.settings import refuse_ignored_secondaries
from datera_backup.storage import leftovers
from datera_backup.storage.neighbours import WARNINGS
from datera_backup.version import VERSION
from datera_volume.connection import SdkMissing, growing_intervals

LOG = logging.getLogger(__name__)

LEASE_SECONDS = 300.0
"""How long a starting service tries to detach what others seem to use: no lease is that long."""


class DateraBackupDriver(DispatcherInterface, driver.BackupDriver):
    """Keeps backups on a Datera cluster.

    :param context: Cinder's request context.
    :param configuration: where options are read from; Cinder's own where there is none.
    """

    VERSION = VERSION

    def __init__(self, context: Any, configuration: Any = None) -> None:
        super().__init__(context)
        self.configuration = CONF if configuration is None else configuration
        self.support_force_delete = True
        self._report_progress = lambda _doing: None

    @staticmethod
    def get_driver_options() -> list[cfg.Opt]:
        """Return all options that the driver reads, as Cinder's own drivers do."""
        return list(OPTS)

    def check_for_setup_error(self) -> None:
        """Check the options; never waits for the cluster.

        Cinder resumes interrupted deletions while this runs, and fails them until it has returned.
        So what takes time comes later: the tenant with the first backup; the login, and detaching
        what a crashed service left attached to this host, in a thread that this starts. Whether the
        cluster works, :meth:`examine` reports.

        :raises OptionsInvalid: options are missing, cannot be used or contradict each other.
        :raises ClusterFailed: the Datera SDK is not installed.
        """
        refuse_ignored_secondaries(CONF, (self.class_path,))
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            # Only located: importing it takes longer than a resumed deletion waits.
            if importlib.util.find_spec("dfs_sdk") is None:
                raise SdkMissing
        # Not threading.Thread: its start() waits until the thread runs, and under eventlet others
        # would run meanwhile, resumed deletions among them.
        _thread.start_new_thread(self._clear_leftovers_in_background, ())

    def _clear_leftovers_in_background(self) -> None:
        """Detach what a crashed service left attached, before the next use of the cluster does.

        Its locks are held until their leases end, in etcd or Redis: until then it is tried again.
        """
        deadline = time.monotonic() + LEASE_SECONDS
        try:
            for pause in growing_intervals():
                self.clear_leftovers()
                if not leftovers.tenants(self.backend.address) or time.monotonic() >= deadline:
                    break
                time.sleep(pause)
        except Exception as failure:
            LOG.warning(
                "Leftover attachments remain; the next use of the cluster tries again: %s",
                failure,
            )

    @traced
    def backup(
        self, backup: Any, volume_file: Any, backup_metadata: bool = True
    ) -> dict[str, Any] | None:
        """Take a backup; an incremental one where ``backup.parent_id`` is set.

        A backup whose record is deleted while it runs ends without an error and leaves nothing.

        :returns: what Cinder writes into the record instead of ``available``.
        :raises BackupFailed: one of its subclasses, with the reason; nothing of the backup is left
            that the record does not name.
        """
        WARNINGS.of_uncoordinated_hosts(self.context)
        self.clear_leftovers()
        watch = BackupWatch(
            self.context,
            backup,
            chunk_size=self.settings.chunk_size,
            timer=self.settings.progress_timer,
        )
        try:
            with (
                translated(f"Backup {backup.id}"),
                concurrency_slot(self.backend.concurrency_slots, watch),
            ):
                commit = self._create(backup, volume_file, backup_metadata, watch)
        except BackupCancelled:
            LOG.info("Backup %s was cancelled: its record is deleted.", backup.id)
            # If the deletion has failed by now, the record no longer shows that there was one.
            return {
                "status": fields.BackupStatus.ERROR,
                "fail_reason": "The backup was cancelled by its deletion; nothing of it is stored",
            }
        watch.finished()
        backup.object_count = -(-commit.source_size // self.settings.chunk_size)
        backup.save()
        return None

    @traced
    def restore(
        self, backup: Any, volume_id: str, volume_file: Any, volume_is_new: bool = False
    ) -> None:
        """Restore a backup; zeros are written only where the volume may hold something else.

        :raises BackupRestoreCancel: the record's state was changed meanwhile.
        :raises BackupIncomplete: there is no finished backup.
        :raises ContainerDamaged: a block is not what was backed up; it is not written.
        """
        self.clear_leftovers()
        with translated(f"Backup {backup.id}"):
            location = cinder_record.location_of(backup)
            if location is None:
                raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
            watch = RestoreWatch(backup, volume_id)
            volume = self.db.volume_get(self.context, volume_id)
            with concurrency_slot(self.backend.concurrency_slots, watch), volumes.named(volume_id):
                commit = restore_backup.restore(
                    self.backend.attachments_in(location.tenant),
                    location,
                    restore_backup.sink_of(volume_file, volume["size"] * GIB),
                    write_zeros=not volume_is_new,
                    watch=self._reported(watch),
                    settings=self.settings.engine,
                )
        self._put_metadata(volume_id, commit.metadata.get("volume_meta"))

    @traced
    def delete_backup(self, backup: Any) -> None:
        """Delete a backup; one that has no data is no error.

        :raises HasIncrementals: an incremental of any project needs it.
        :raises ClusterFailed: the cluster could not be reached: nothing is known to be deleted.
        :raises ContainerAbsenceUnproven: its container is not found, and not proven to be deleted.
        :raises ContainerDamaged: the container contradicts Cinder's records; nothing is deleted.
        """
        self._delete(backup, with_children=False)

    def export_record(self, backup: Any) -> dict[str, Any]:
        """Return what is exported besides the record itself; it holds no secrets."""
        return exported.described(backup)

    def import_record(self, backup: Any, driver_info: dict[str, Any]) -> None:
        """Check that the backup that a record names can be reached from here and is committed.

        :raises BackupIncomplete: its container holds no committed backup of this record.
        :raises ContainerDamaged: it cannot be read.
        :raises BackupFailed: it does not exist, or the record is not one of this driver.
        """
        location = exported.location_in(driver_info, backup)
        self.clear_leftovers()
        with translated(f"Backup {backup.id}"), self.opened(location) as container:
            in_native_thread(container.commit_of, location.backup_id)

    def _create(
        self, backup: Any, volume_file: Any, backup_metadata: bool, watch: BackupWatch
    ) -> Commit:
        label = backup.container
        metadata: dict[str, Any] = {
            "driver_version": VERSION,
            "backup_name": backup.display_name,
            "backup_description": backup.display_description,
            "container_label": label,
            "volume_meta": self.get_metadata(backup.volume_id) if backup_metadata else None,
        }
        with volumes.named(backup.volume_id):
            source = volumes.whole(
                self.context,
                backup,
                cast("BinaryIO", unwrapped(volume_file)),
                watch=watch,
                settings=self.settings.engine,
            )
            creation = CreateBackup(
                self.backend,
                self.context,
                backup,
                source,
                label=label,
                metadata=metadata,
                watch=self._reported(watch),
            )
            with past_the_cache(source):
                self._committed = creation.run()
                return self._committed

    def _reported(self, watch: Watch) -> Reporting:
        """The watch, so that what its job moves is told and counted."""
        self._committed = None
        self._is_restore = isinstance(watch, RestoreWatch)
        self._reporting = Reporting(watch, self._report_progress)
        return self._reporting

    def _put_metadata(self, volume_id: str, volume_meta: str | None) -> None:
        if not volume_meta:
            LOG.debug("There is no volume metadata in this backup.")
            return
        try:
            self.put_metadata(volume_id, volume_meta)
        except exception.BackupMetadataUnsupportedVersion as failure:
            raise exception.BackupOperationError(
                "Metadata restore failed due to incompatible version."
            ) from failure
