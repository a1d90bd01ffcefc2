# SPDX-License-Identifier: Apache-2.0
"""What the driver offers the dispatcher, and its command, beside Cinder's interface.

:mod:`backup_dispatch.drivers.interface` says what each method promises, whichever driver offers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from oslo_log import log as logging

from datera_backup import cinder_record
from datera_backup.base import CONF, DriverBase, traced
from datera_backup.container import (
    BackupNotInContainer,
    BackupUncommitted,
    Commit,
    ContainerError,
)
from datera_backup.engine.recovery import Missing
from datera_backup.error_mapping import translated
from datera_backup.errors import (
    BackupFailed,
    BackupIncomplete,
    ContainerDamaged,
    ContainerGone,
    ContainerUnreadable,
    NotOurs,
    OptionsInvalid,
)
from datera_backup.native_thread import in_native_thread
from datera_backup.operations import delete_backup, examination, restore_backup, salvage
from datera_backup.operations.open_backup import OpenBackup
from datera_backup.operations.orphans import Orphan, find_orphans, remove_orphan
from datera_backup.operations.progress import Reporting, VerifyWatch
from datera_backup.settings import refuse_ignored_secondaries
from datera_volume.connection import DateraError

LOG = logging.getLogger(__name__)


def _parts(commit: Commit) -> dict[str, float]:
    """What became of the volume's bytes; the parts add up to all of them."""
    statistics, block_size = commit.statistics, commit.geometry.block_size
    new = statistics.new_bytes
    # The volume's last block may be a short one.
    shared = min(statistics.inherited_blocks * block_size, commit.source_size - new)
    zero = commit.source_size - new - shared
    return {"stored": statistics.stored_bytes, "new": new, "shared": shared, "zero": zero}


class DispatcherInterface(DriverBase):
    """Methods that the dispatcher calls where a driver has them."""

    _report_progress: Callable[[str], None]
    _reporting: Reporting | None = None
    _committed: Commit | None = None
    _is_restore = False

    # Backups

    @staticmethod
    def may_hold(backup: Any) -> bool:
        """Whether a record says that this driver stored something of the backup."""
        return cinder_record.is_ours(backup)

    def holds(self, backup: Any) -> bool | None:
        """Whether the backup is on this cluster; None if that is unknown."""
        location = cinder_record.location_of(backup) if cinder_record.is_ours(backup) else None
        if location is None:
            return False
        try:
            with self.opened(location) as container:
                in_native_thread(container.commit_of, location.backup_id)
        except (ContainerGone, NotOurs, BackupNotInContainer):
            return False
        except (BackupUncommitted, ContainerError, ContainerUnreadable):
            return True  # ours, in whatever state
        except (BackupFailed, DateraError, OptionsInvalid) as unknown:
            LOG.debug("Whether backup %s is on Datera is unknown: %s", backup.id, unknown)
            return None
        return True

    def report_progress_to(self, report: Callable[[str], None]) -> None:
        """Call ``report`` whenever bytes of a backup or a restore have moved; it may raise."""
        self._report_progress = report

    def figures(self) -> dict[str, float]:
        """Return what the operation under way, or the last one, has moved so far.

        By the names in :mod:`backup_dispatch.counting.figures`.
        """
        found: dict[str, float] = {}
        if self.trace is not None:
            found["retries"] = self.trace.retries
        timings = self._reporting.timings if self._reporting is not None else None
        if timings is None:
            return found
        found["stored"] = timings.stored()
        found["written" if self._is_restore else "read"] = timings.fetched
        for stage, seconds in timings.seconds.items():
            found[f"seconds_{stage}"] = seconds
        if self._committed is not None:
            found |= _parts(self._committed)
        return found

    children_stand_alone = True
    """An incremental needs what its parent stored, and not its parent: :meth:`forget`."""

    @traced
    def forget(self, backup: Any) -> None:
        """Delete a backup that may have incrementals, which can be restored as before.

        What none of them needs is given back to the cluster. The record is the caller's, who has
        set it to ``deleting``: one that goes on saying ``available`` contradicts the container, and
        ends each later backup in it.

        :raises ClusterFailed: the cluster could not be reached: nothing is known to be deleted.
        :raises ContainerAbsenceUnproven: its container is not found, and not proven to be deleted.
        :raises ContainerDamaged: the container contradicts Cinder's records; nothing is deleted.
        """
        self._delete(backup, with_children=True)

    def _delete(self, backup: Any, *, with_children: bool) -> None:
        self.clear_leftovers()
        with translated(f"Backup {backup.id}"):
            # The record that the API handed in may be from before the container was chosen.
            location = cinder_record.location_of(cinder_record.present(self.context, backup))
            if location is None:
                LOG.info("Nothing was ever stored of backup %s.", backup.id)
                return
            attachments = self.backend.attachments_in(location.tenant)
            delete_backup.delete(
                attachments, self.context, backup.id, location, with_children=with_children
            )

    def volume_metadata(self, backup: Any) -> str | None:
        """Return what Cinder said of the volume when the backup was taken; None if it is not there.

        :raises BackupFailed: there is no finished backup, or it could not be read.
        """
        with translated(f"Backup {backup.id}"):
            location = cinder_record.location_of(backup)
            if location is None:
                raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
            with self.opened(location) as container:
                commit = in_native_thread(container.commit_of, location.backup_id)
        stored: str | None = commit.metadata.get("volume_meta")
        return stored

    def verify(self, backup: Any, progress: Callable[[int, int], None]) -> list[str]:
        """Read and verify every block of a backup, and remember which are bad.

        :param progress: called now and then with the bytes of the volume that are done, and those
            in all; what it raises ends the reading.
        :returns: the damage, one line each.
        :raises BackupFailed: it could not be read for another reason.
        """
        return self._checked(backup, progress, share=1.0, seed=0).damage

    def verify_sample(
        self, backup: Any, progress: Callable[[int, int], None], *, share: float, seed: int
    ) -> tuple[list[str], int, int]:
        """Read and verify some blocks of a backup, drawn at random, and remember which are bad.

        :param share: of the blocks that are not zero, above 0 and up to 1.
        :param seed: the same one draws the same blocks.
        :returns: the damage, one line each; how many blocks were drawn, and of how many.
        :raises BackupFailed: it could not be read for another reason.
        """
        checked = self._checked(backup, progress, share=share, seed=seed)
        return checked.damage, checked.blocks, checked.of

    def _checked(
        self, backup: Any, progress: Callable[[int, int], None], *, share: float, seed: int
    ) -> restore_backup.Checked:
        location = cinder_record.location_of(backup)
        if location is None:
            return restore_backup.Checked([f"Nothing is stored of backup {backup.id}"])
        self.clear_leftovers()
        try:
            with translated(f"Backup {backup.id}"):
                return restore_backup.verify(
                    self.backend.attachments_in(location.tenant),
                    location,
                    VerifyWatch(progress),
                    self.settings.engine,
                    share=share,
                    seed=seed,
                )
        except (ContainerDamaged, ContainerGone, BackupIncomplete) as damage:
            return restore_backup.Checked([str(damage)])

    def salvage(
        self, backup: Any, file: BinaryIO, progress: Callable[[int, int], None]
    ) -> tuple[int, Sequence[Missing]]:
        """Write what is sound of a backup, and leave out the rest.

        :param file: open for writing, and empty.
        :returns: bytes of the volume, and what of it is missing.
        :raises BackupFailed: nothing of it can be found.
        """
        location = cinder_record.location_of(backup)
        if location is None:
            raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
        self.clear_leftovers()
        with translated(f"Backup {backup.id}"):
            found = salvage.salvage(
                self.backend.attachments_in(location.tenant),
                location,
                file,
                VerifyWatch(progress),
                self.settings.engine,
            )
        return found.commit.source_size, found.missing

    def open_data(self, backup: Any) -> OpenBackup:
        """Open a backup for reading at any offset; its containers are attached until it is closed.

        :raises BackupIncomplete: there is no finished backup.
        :raises ContainerDamaged: a container of it cannot be read.
        :raises BackupFailed: it cannot be attached, or the cluster does not answer.
        """
        location = cinder_record.location_of(backup)
        if location is None:
            raise BackupIncomplete(f"Nothing is stored of backup {backup.id}")
        self.clear_leftovers()
        subject = f"Backup {backup.id}"
        with translated(subject):
            return OpenBackup(self.backend.attachments_in(location.tenant), location, subject)

    def stored_size(self, backup: Any) -> int | None:
        """Bytes that the blocks of this backup alone take; None while it is not finished."""
        location = cinder_record.location_of(backup)
        if location is None:
            return None
        with translated(f"Backup {backup.id}"), self.opened(location) as container:
            statistics = in_native_thread(container.commit_of, location.backup_id).statistics
            return statistics.stored_bytes

    # The cluster

    def examine(self) -> Iterator[examination.Step]:
        """Look at the options, the cluster and this host, and change nothing.

        :raises OptionsInvalid: options are missing, cannot be used or contradict each other.
        """
        refuse_ignored_secondaries(CONF, (self.class_path,))
        yield from examination.examine(lambda: self.backend, self.configuration)

    def try_out(self) -> Iterator[examination.Step]:
        """Make a small container, use it from this host, and delete it."""
        return examination.try_out(self.backend)

    def orphans(self) -> list[Orphan]:
        """Containers on the cluster that no record of this Cinder names."""
        with translated(f"Datera cluster {self.settings.cluster.address}"):
            return find_orphans(self.backend, self.context)

    def remove_orphan(self, name: str) -> None:
        """Delete one of them, if it still is one and provably this Cinder's own."""
        with translated(f"Container {name}"):
            remove_orphan(self.backend, self.context, name)
