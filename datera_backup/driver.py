# SPDX-License-Identifier: Apache-2.0
"""The Datera backup driver: what Cinder calls.

A backup goes into a container, an app instance with one volume that holds a full backup and the
incrementals after it. What stands where in a container is the business of
:mod:`datera_backup.container`, how bytes get there that of :mod:`datera_backup.engine`.
"""

from __future__ import annotations

import _thread
import functools
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeVar, cast

from cinder import exception
from cinder.backup import driver
from cinder.objects import fields
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from datera_backup import (
    examination,
    exported,
    reading,
    record,
    removal,
    volumes,
)
from datera_backup.backend import Backend, backend_for
from datera_backup.container import (
    BackupNotInContainer,
    BackupUncommitted,
    ContainerError,
)
from datera_backup.errors import (
    BackupFailed,
    BackupIncomplete,
    ContainerGone,
    ContainerUnreadable,
    NotOurs,
    OptionsInvalid,
)
from datera_backup.native import in_native_thread, unwrapped
from datera_backup.neighbours import WARNINGS
from datera_backup.operators import OperatorsMethods
from datera_backup.opts import OPTS
from datera_backup.progress import (
    BackupCancelled,
    BackupWatch,
    Reporting,
    RestoreWatch,
    wait_for,
)
from datera_backup.settings import BackupSettings, read_settings, refuse_ignored_secondaries
from datera_backup.translate import translated
from datera_backup.undo import Undo
from datera_backup.version import VERSION
from datera_backup.writing import Writing
from datera_volume.connection import DateraError, SdkMissing, tracing

CONF = cfg.CONF
CONF.register_opts(OPTS)
LOG = logging.getLogger(__name__)

Method = TypeVar("Method", bound=Callable[..., Any])


def traced(method: Method) -> Method:
    """Mark what each call logs, and log what it cost, as the options say."""

    @functools.wraps(method)
    def call(self: DateraBackupDriver, backup: Any, *args: Any, **kwargs: Any) -> Any:
        what = f"{method.__name__} of backup {backup.id}"
        with tracing.call(what, LOG, level=self.settings.timing_level) as trace:
            if self.settings.debug:
                LOG.debug("[%s] %s begins", trace.id, what)
            return method(self, backup, *args, **kwargs)

    return cast("Method", call)


class DateraBackupDriver(OperatorsMethods, driver.BackupDriver):
    """Keeps backups on a Datera cluster.

    :param context: Cinder's, of whoever asked for the operation.
    :param configuration: where options are read from; Cinder's own where there is none.
    """

    VERSION = VERSION

    def __init__(self, context: Any, configuration: Any = None) -> None:
        super().__init__(context)
        self.configuration = CONF if configuration is None else configuration
        self.support_force_delete = True
        self._tell: Callable[[str], None] = lambda _doing: None

    @functools.cached_property
    def settings(self) -> BackupSettings:
        """The options, checked.

        :raises OptionsInvalid: some are missing or cannot be used.
        """
        return read_settings(self.configuration)

    @functools.cached_property
    def backend(self) -> Backend:
        """The cluster, which this process has one session with."""
        return backend_for(self.settings)

    @staticmethod
    def get_driver_options() -> list[cfg.Opt]:
        """All options that the driver reads, as Cinder's own drivers tell them."""
        return list(OPTS)

    # Cinder's interface

    def check_for_setup_error(self) -> None:
        """Find out whether the options can be used; waits for no cluster.

        Cinder resumes interrupted deletions while this runs, and fails them until it has returned.
        So what takes time comes later: the tenant with the first backup; the login, and what a
        service that died has left open on this host, in a thread that this starts. Whether the
        cluster works, :meth:`examine` tells.

        :raises OptionsInvalid: options are missing, cannot be used or contradict each other.
        :raises ClusterFailed: the Datera SDK is not installed.
        """
        refuse_ignored_secondaries(CONF, (self._own_path,))
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            # Looked for only: to import it takes longer than a resumed deletion waits.
            if importlib.util.find_spec("dfs_sdk") is None:
                raise SdkMissing
        # Not threading.Thread: its start() waits until the thread runs, and under eventlet others
        # would run meanwhile, resumed deletions among them.
        _thread.start_new_thread(self._close_what_was_left_open, ())

    def _close_what_was_left_open(self) -> None:
        """What a host left open when it died is closed by its restart, not only by its next use."""
        try:
            self._clear_leftovers()
        except Exception as failure:
            LOG.warning("The next use of the cluster looks for what was left open: %s", failure)

    @traced
    def backup(
        self, backup: Any, volume_file: Any, backup_metadata: bool = True
    ) -> dict[str, Any] | None:
        """Take a backup; an incremental one where ``backup.parent_id`` is set.

        A backup whose record is deleted while it runs ends without an error and leaves nothing.

        :returns: what Cinder shall write into the record, where it would say that all is well.
        :raises BackupFailed: one of its kinds, with the reason; nothing of it is left that the
            record does not name.
        """
        WARNINGS.of_uncoordinated_hosts(self.context)
        self._clear_leftovers()
        watch = BackupWatch(
            self.context,
            backup,
            chunk_size=self.settings.chunk_size,
            timer=self.settings.progress_timer,
        )
        try:
            with translated(f"Backup {backup.id}"), Undo(f"Backup {backup.id}") as undo:
                undo.add("end its turn", wait_for(self.backend.slots, watch))
                commit = self._write(backup, volume_file, backup_metadata, watch)
        except BackupCancelled:
            LOG.info("Backup %s was cancelled: its record is deleted.", backup.id)
            # Should the deletion have failed by now, the record no longer says that there was one.
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
        self._clear_leftovers()
        with translated(f"Backup {backup.id}"):
            location = record.location_of(backup)
            if location is None:
                raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
            watch = RestoreWatch(backup, volume_id)
            volume = self.db.volume_get(self.context, volume_id)
            with Undo(f"Restoring backup {backup.id}") as undo:
                undo.add("end its turn", wait_for(self.backend.slots, watch))
                with volumes.named(volume_id):
                    commit = reading.restore(
                        self.backend.attachments_in(location.tenant),
                        location,
                        reading.sink_of(volume_file, volume["size"] * units.Gi),
                        write_zeros=not volume_is_new,
                        watch=Reporting(watch, self._tell),
                        settings=self.settings.engine,
                    )
        self._put_metadata(volume_id, commit.metadata.get("volume_meta"))

    children_stand_alone = True
    """An incremental needs what its parent stored, and not its parent: :meth:`forget`."""

    @traced
    def delete_backup(self, backup: Any) -> None:
        """Delete a backup; one of which nothing is there is no error.

        :raises StillAParent: an incremental of any project needs it.
        :raises ClusterFailed: the cluster could not be asked: nothing is known to be gone.
        :raises AbsenceUnproven: its container is not found, and not proven to be gone.
        :raises ContainerDamaged: the container contradicts Cinder's records; nothing is deleted.
        """
        self._delete(backup, with_children=False)

    @traced
    def forget(self, backup: Any) -> None:
        """Delete a backup that may have incrementals, which can be restored as before.

        What none of them needs is given back to the cluster. The record is the caller's, who has
        set it to ``deleting``: one that goes on saying ``available`` contradicts the container, and
        ends each later backup in it.

        :raises ClusterFailed: the cluster could not be asked: nothing is known to be gone.
        :raises AbsenceUnproven: its container is not found, and not proven to be gone.
        :raises ContainerDamaged: the container contradicts Cinder's records; nothing is deleted.
        """
        self._delete(backup, with_children=True)

    def _delete(self, backup: Any, *, with_children: bool) -> None:
        self._clear_leftovers()
        with translated(f"Backup {backup.id}"):
            # The record that the API handed in may be from before the container was chosen.
            location = record.location_of(record.present(self.context, backup))
            if location is None:
                LOG.info("Nothing was ever stored of backup %s.", backup.id)
                return
            attachments = self.backend.attachments_in(location.tenant)
            removal.delete(
                attachments, self.context, backup.id, location, with_children=with_children
            )

    def export_record(self, backup: Any) -> dict[str, Any]:
        """What travels besides the record itself, which names the container: nothing secret."""
        return exported.described(backup)

    def import_record(self, backup: Any, driver_info: dict[str, Any]) -> None:
        """Check that what a record speaks of can be reached from here, and is a whole backup.

        :raises BackupIncomplete: the container is there, but not the backup, or it has no commit.
        :raises ContainerDamaged: it cannot be read.
        :raises BackupFailed: it is not there, or the record is not one of this driver.
        """
        location = exported.location_in(driver_info, backup)
        self._clear_leftovers()
        with translated(f"Backup {backup.id}"), self._opened(location) as container:
            in_native_thread(container.commit_of, location.backup_id)

    # The dispatcher's question

    @staticmethod
    def may_hold(backup: Any) -> bool:
        """Whether a record says that this driver stored something of the backup."""
        return record.is_ours(backup)

    def holds(self, backup: Any) -> bool | None:
        """Whether the backup is on this cluster; None where that cannot be found out."""
        location = record.location_of(backup) if record.is_ours(backup) else None
        if location is None:
            return False
        try:
            with self._opened(location) as container:
                in_native_thread(container.commit_of, location.backup_id)
        except (ContainerGone, NotOurs, BackupNotInContainer):
            return False
        except (BackupUncommitted, ContainerError, ContainerUnreadable):
            return True  # ours, in whatever state
        except (BackupFailed, DateraError, OptionsInvalid) as unknown:
            LOG.debug("Whether backup %s is on Datera is unknown: %s", backup.id, unknown)
            return None
        return True

    def report_progress_to(self, tell: Callable[[str], None]) -> None:
        """Call ``tell`` whenever bytes of a backup or a restore have moved; it may raise."""
        self._tell = tell

    # What the operator's command asks

    def examine(self) -> Iterator[examination.Step]:
        """Look at the options, the cluster and this host, and change nothing.

        :raises OptionsInvalid: options are missing, cannot be used or contradict each other.
        """
        refuse_ignored_secondaries(CONF, (self._own_path,))
        yield from examination.examine(lambda: self.backend, self.configuration)

    # Steps

    @property
    def _own_path(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__}"

    def _write(
        self, backup: Any, volume_file: Any, backup_metadata: bool, watch: BackupWatch
    ) -> Any:
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
            return Writing(
                self.backend,
                self.context,
                backup,
                source,
                label=label,
                metadata=metadata,
                watch=Reporting(watch, self._tell),
            ).run()

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
