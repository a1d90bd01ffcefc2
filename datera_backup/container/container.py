# SPDX-License-Identifier: Apache-2.0
"""A container: the backups of one chain on one block device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from enum import Enum
from uuid import UUID

from datera_backup.container import commit as commits
from datera_backup.container import record
from datera_backup.container.clock import Clock, utc_now
from datera_backup.container.commit import Commit
from datera_backup.container.device import Device
from datera_backup.container.errors import (
    BackupExists,
    BackupNotInContainer,
    BackupUncommitted,
    BackupUnderWay,
    CommitDamaged,
    ContainerChanged,
    DeviceTooShort,
    LayoutDamaged,
    WrongContainer,
)
from datera_backup.container.geometry import DEFAULT_SEGMENT_SIZE, DIGEST_SIZE
from datera_backup.container.log import survey
from datera_backup.container.record import RecordRef
from datera_backup.container.slots import Slots
from datera_backup.container.superblock import Entry, State, Superblock
from datera_backup.container.writer import BackupWriter, NewBackup


class Remains(Enum):
    """What a container holds after a backup was dropped."""

    EMPTY = "empty"
    """Nothing: the device can be deleted."""
    BACKUPS = "backups"
    """Other backups, or one that was begun."""


class Container:
    """An open container.

    One process at a time may change it; whoever calls :meth:`begin` or :meth:`drop` holds a lock.
    Any number may read committed backups meanwhile. An object serves one thread at a time, but
    readers that were made from it serve many.
    """

    def __init__(self, device: Device, slots: Slots, block: Superblock, clock: Clock) -> None:
        """Use :meth:`format` or :meth:`open` instead."""
        self._device = device
        self._slots = slots
        self._block = block
        self._clock = clock

    @classmethod
    def format(cls, device: Device, container_id: UUID, *, clock: Clock = utc_now) -> Container:
        """Make an empty container.

        :param container_id: the id of the first backup that will lie in it.
        :raises AlreadyAContainer: the device holds one, or remains of one.
        :raises ContainerFull: the device is smaller than an empty container.
        """
        slots = Slots(device)
        slots.refuse_remains()
        now = clock()
        blank = Superblock(0, container_id, device.size, now)
        return cls(device, slots, slots.store(blank, (), now), clock)

    @classmethod
    def open(
        cls, device: Device, expected: UUID | None = None, *, clock: Clock = utc_now
    ) -> Container:
        """Open what was formatted.

        :param expected: the container that should lie there.
        :raises NotAContainer: the device was never formatted.
        :raises WrongContainer: another container lies there.
        :raises LayoutDamaged: no superblock is whole.
        :raises DeviceTooShort: the device ends before the log does.
        :raises ContainerTooNew: a later version wrote it.
        """
        slots = Slots(device)
        container = cls(device, slots, slots.load(), clock)
        # Only now, so that what the superblock names cannot be older in the cache than there.
        device.forget()
        if expected is not None and container.id != expected:
            raise WrongContainer(expected, container.id)
        if device.size < container.tail:
            raise DeviceTooShort(
                f"Container {container.id} has backups up to byte {container.tail}, but its device "
                f"ends at byte {device.size}."
            )
        return container

    @property
    def id(self) -> UUID:
        """The container's id, which is that of the first backup in it."""
        return self._block.container_id

    @property
    def device(self) -> Device:
        """The device below."""
        return self._device

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All backups that the superblock knows, in the order of the log, dead ones too."""
        return self._block.entries

    @property
    def committed(self) -> tuple[UUID, ...]:
        """The backups that can be restored, oldest first."""
        return tuple(e.backup_id for e in self.entries if e.state is State.COMMITTED)

    @property
    def damaged_slots(self) -> tuple[int, ...]:
        """Superblock slots (0, 1) that were not readable; the other one serves."""
        return self._slots.damaged

    @property
    def tail(self) -> int:
        """The byte where the next backup begins."""
        return self._block.tail

    @property
    def room(self) -> int:
        """Bytes between the tail and the end of the device as it is now."""
        return self._device.size - self.tail

    def commit_of(self, backup_id: UUID) -> Commit:
        """Return a committed backup's record; ``.containers`` says what a restore needs open.

        :raises BackupNotInContainer: it is not here, or was deleted.
        :raises BackupUncommitted: it was begun and never committed.
        :raises CommitDamaged: the record is not the one that was written.
        """
        entry = self._entry(backup_id)
        if entry.state is State.OPEN:
            segments, log_bytes = survey(self._device, backup_id, entry.start)
            raise BackupUncommitted(
                backup_id,
                self.id,
                started=entry.started,
                segments=segments,
                log_bytes=log_bytes,
            )

        def damaged(reason: str) -> CommitDamaged:
            return CommitDamaged(
                f"The commit record of backup {backup_id} in container {self.id} at byte "
                f"{entry.commit_offset} is damaged: {reason}."
            )

        payload = record.unpack(self._device, entry.commit_ref, (record.COMMIT, 0), damaged)
        try:
            commit = commits.decode(payload)
        except ValueError as exc:
            raise damaged(str(exc)) from exc
        if (commit.backup_id, commit.container_id) != (backup_id, self.id):
            raise damaged(f"it is of backup {commit.backup_id} in {commit.container_id}")
        return commit

    def begin(
        self,
        new: NewBackup,
        *,
        living: Collection[UUID],
        ended: Collection[UUID] = (),
        segment_size: int = DEFAULT_SEGMENT_SIZE,
    ) -> BackupWriter:
        """Enter a backup as begun, durably, and return what takes its blocks.

        The range of a backup that was begun and never committed is used again once that has ended.

        :param living: all backups that are known to be good here. Each must be committed in the
            superblock, so that a damaged superblock never leads to overwriting them.
        :param ended: backups of which it is known that nobody writes them any more.
        :raises BackupUnderWay: one was begun that is neither among them nor the new one.
        :raises LayoutDamaged: one of ``living`` is not committed here.
        :raises BackupExists: ``new.backup_id`` is committed here or was.
        :raises MetadataTooLarge: the metadata exceeds the format's limit.
        :raises ContainerFull: the superblock has no room for another backup.
        """
        commits.metadata_json(new.metadata)
        self._reload()
        lost = set(living).difference(self.committed)
        if lost:
            raise LayoutDamaged(
                f"Container {self.id} should hold {_names(lost)}, but its superblock "
                f"(generation {self._block.generation}, damaged slots: "
                f"{list(self.damaged_slots) or 'none'}) does not have them as committed; "
                "nothing was written."
            )
        for entry in self.entries:
            if entry.state is State.OPEN and entry.backup_id not in {new.backup_id, *ended}:
                raise BackupUnderWay(entry.backup_id, self.id)
        kept = tuple(entry for entry in self.entries if entry.state is not State.OPEN)
        if any(entry.backup_id == new.backup_id for entry in kept):
            raise BackupExists(new.backup_id, self.id)
        now = self._clock()
        start = self.tail
        opened = Entry(new.backup_id, State.OPEN, start, 0, 0, 0, bytes(DIGEST_SIZE), now, now)
        self._store((*kept, opened), now)
        return BackupWriter(
            new,
            self.id,
            self._device,
            start,
            started=now,
            segment_size=segment_size,
            check=lambda: self._check(opened),
            enter=lambda ref, end: self._enter(opened, ref, end),
            clock=self._clock,
        )

    def drop(self, backup_id: UUID) -> Remains:
        """Delete a backup, committed or only begun, and say what is left.

        The newest gives its range back, another one's is marked dead.

        :raises BackupNotInContainer: it is not here, or was deleted before.
        """
        self._reload()
        gone = self._entry(backup_id)
        now = self._clock()
        entries = [
            replace(entry, state=State.DEAD, changed=now) if entry is gone else entry
            for entry in self.entries
            if entry is not gone or gone.state is not State.OPEN
        ]
        while entries and entries[-1].state is State.DEAD:
            entries.pop()
        self._store(tuple(entries), now)
        return Remains.BACKUPS if entries else Remains.EMPTY

    def _check(self, opened: Entry) -> None:
        """Look whether the range of a begun backup is still its own."""
        self._reload()
        if opened not in self.entries:
            raise ContainerChanged(
                f"Backup {opened.backup_id} is no longer begun in container {self.id}: somebody "
                "else wrote to it."
            )

    def _enter(self, opened: Entry, ref: RecordRef, end: int) -> None:
        """Turn a begun backup into a committed one."""
        self._check(opened)
        now = self._clock()
        committed = replace(
            opened,
            state=State.COMMITTED,
            end=end,
            commit_offset=ref.offset,
            commit_length=ref.length,
            commit_checksum=ref.checksum,
            changed=now,
        )
        self._store(tuple(committed if entry == opened else entry for entry in self.entries), now)

    def _entry(self, backup_id: UUID) -> Entry:
        for entry in self.entries:
            if entry.backup_id == backup_id:
                if entry.state is State.DEAD:
                    raise BackupNotInContainer(backup_id, self.id, deleted=True)
                return entry
        raise BackupNotInContainer(backup_id, self.id)

    def _reload(self) -> None:
        """See what others, who held the lock meanwhile, made of the superblock."""
        block = self._slots.load()
        if block.container_id != self.id:
            raise WrongContainer(self.id, block.container_id)
        if block.generation != self._block.generation:
            # A range may have been given back and used again.
            self._device.forget()
        self._block = block

    def _store(self, entries: tuple[Entry, ...], now: datetime) -> None:
        self._block = self._slots.store(self._block, entries, now)


def _names(backup_ids: Collection[UUID]) -> str:
    return "backup " + ", ".join(sorted(map(str, backup_ids)))
