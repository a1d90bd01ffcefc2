# SPDX-License-Identifier: Apache-2.0
"""A container: the backups of one chain on one block device."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from enum import Enum
from uuid import UUID

from datera_backup.container import committed
from datera_backup.container.copies import Copies
from datera_backup.container.device import Device
from datera_backup.container.directory import Directory
from datera_backup.container.errors import (
    BackupExists,
    BackupNotInContainer,
    BackupUncommitted,
    BackupUnderWay,
    ContainerFull,
    DeviceTooShort,
    WrongContainer,
)
from datera_backup.container.format import commit as commits
from datera_backup.container.format.clock import Clock, utc_now
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.geometry import DEFAULT_SEGMENT_SIZE
from datera_backup.container.format.log_record import Owner, RecordRef
from datera_backup.container.format.superblock import (
    MAX_ENTRIES,
    Entry,
    EntryState,
    Spot,
    Superblock,
)
from datera_backup.container.log import MOST_UNDER_WAY, survey
from datera_backup.container.reader import BackupReader
from datera_backup.container.reclaiming import reclaim, vacate
from datera_backup.container.slots import Slots
from datera_backup.container.writer import BackupWriter, NewBackup


class Remains(Enum):
    """What a container holds after a backup was dropped."""

    EMPTY = "empty"
    """Nothing: the device can be deleted, unless another container needs blocks in it."""
    BACKUPS = "backups"
    """Other backups, or one that was begun."""


class Container:
    """An open container.

    A writer holds the container's lock; any number of readers may read committed backups. An object
    serves one thread at a time, but readers that were made from it serve many.
    """

    def __init__(self, device: Device, slots: Slots, block: Superblock, clock: Clock) -> None:
        """Use :meth:`format` or :meth:`open` instead."""
        self._device = device
        self._directory = Directory(device, slots, block, clock)

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
        return cls(device, slots, slots.store(blank, blank, now), clock)

    @classmethod
    def open(
        cls, device: Device, expected: UUID | None = None, *, clock: Clock = utc_now
    ) -> Container:
        """Open what was formatted.

        :param expected: the container that should lie there.
        :raises NotAContainer: the device was never formatted.
        :raises WrongContainer: another container lies there.
        :raises LayoutDamaged: no superblock is whole, or they are of two containers.
        :raises DeviceTooShort: the device ends before the log does.
        :raises ContainerTooNew: another version wrote it.
        """
        slots = Slots(device, expected)
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
        return self._directory.block.container_id

    @property
    def device(self) -> Device:
        """The device below."""
        return self._device

    @property
    def copies(self) -> Copies:
        """The metadata on it."""
        return self._directory.copies

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All backups that the superblock knows, in the order of the log, dead ones too."""
        return self._directory.block.entries

    @property
    def committed(self) -> tuple[UUID, ...]:
        """The backups that can be restored, oldest first."""
        return tuple(e.backup_id for e in self.entries if e.state is EntryState.COMMITTED)

    @property
    def begun(self) -> tuple[UUID, ...]:
        """The backups that were begun and never committed; they may still be written."""
        return tuple(e.backup_id for e in self.entries if e.state is EntryState.OPEN)

    @property
    def damaged_slots(self) -> tuple[int, ...]:
        """Superblock slots (0, 1) that were not readable; the other one is used."""
        return self._directory.damaged_slots

    @property
    def may_be_stale(self) -> bool:
        """Whether the device may have lost a newer superblock, by what it shows of the older ones.

        Then :meth:`begin` must be told of all backups that are known to be good here.
        """
        return self._directory.may_be_stale

    @property
    def spots(self) -> tuple[Spot, ...]:
        """Stored bytes that were found bad."""
        return self._directory.block.spots

    @property
    def tail(self) -> int:
        """The byte where the next backup begins."""
        return self._directory.block.tail

    @property
    def room(self) -> int:
        """Bytes between the tail and the end of the device as it is now."""
        return self._device.size - self.tail

    @property
    def is_full(self) -> bool:
        """Whether there is room for no other entry."""
        return self._directory.block.is_full

    @property
    def remains(self) -> Remains:
        """Whether it holds any backup, or one that was begun."""
        left = any(not entry.state.is_gone for entry in self.entries)
        return Remains.BACKUPS if left else Remains.EMPTY

    @property
    def distrusts_any(self) -> bool:
        """Whether any block was found bad once."""
        return self._directory.distrusts_any

    def distrusts(self, container_id: UUID, offset: int) -> bool:
        """Whether a block was found bad once, by where it lies."""
        return self._directory.distrusts(container_id, offset)

    def commit_of(self, backup_id: UUID) -> Commit:
        """Return a committed backup's record; ``.containers`` says what a restore needs open.

        :raises BackupNotInContainer: it is not here, or was deleted.
        :raises BackupUncommitted: it was begun and never committed.
        :raises CommitDamaged: the record is not the one that was written, and neither is its copy.
        """
        entry = self._directory.entry_of(backup_id)
        if entry.state.is_gone:
            raise BackupNotInContainer(backup_id, self.id, deleted=True)
        if entry.commit is None:
            segments, log_bytes = survey(self._device, backup_id, entry.start)
            raise BackupUncommitted(
                backup_id, self.id, started=entry.started, segments=segments, log_bytes=log_bytes
            )
        return committed.read(self.copies, self.id, backup_id, entry.commit)

    def begin(
        self,
        new: NewBackup,
        *,
        living: Collection[UUID],
        parent: BackupReader | None = None,
        ended: Collection[UUID] = (),
        segment_size: int = DEFAULT_SEGMENT_SIZE,
    ) -> BackupWriter:
        """Enter a backup as begun, durably, and return what takes its blocks.

        The range of a backup that was begun and never committed is used again once that has ended.

        :param living: backups that are known to be good here. Each must be committed in the
            superblock, so that a damaged superblock never leads to overwriting them.
        :param parent: what an incremental is compared with, with all containers of its chain.
        :param ended: backups that are known to be no longer written.
        :raises BackupUnderWay: one was begun that is neither among them nor the new one.
        :raises LayoutDamaged: one of ``living`` is not committed here, or the superblock is older
            than what lies behind the log.
        :raises BackupNotInContainer: ``parent`` was deleted meanwhile.
        :raises BackupExists: ``new.backup_id`` is committed here or was.
        :raises GeometryMismatch: the new backup has not its parent's geometry.
        :raises MetadataTooLarge: the metadata exceeds the format's limit.
        :raises ContainerFull: the superblock has no room for another backup.
        """
        commits.metadata_json(new.metadata)
        self._directory.reload()
        committed.require(self._directory.block, living, self.damaged_slots)
        committed.require_newest(self._device, self._directory.block)
        for entry in self.entries:
            if entry.state is EntryState.OPEN and entry.backup_id not in {new.backup_id, *ended}:
                raise BackupUnderWay(entry.backup_id, self.id)
        kept = tuple(entry for entry in self.entries if entry.state is not EntryState.OPEN)
        if any(entry.backup_id == new.backup_id for entry in kept):
            raise BackupExists(new.backup_id, self.id)
        if parent is not None:
            parent.require_living()
        if len(kept) >= MAX_ENTRIES:
            raise ContainerFull(f"Container {self.id}", len(kept) + 1, MAX_ENTRIES)
        self._discard_open()
        now = self._directory.now()
        opened = Entry(
            backup_id=new.backup_id,
            parent_id=None if parent is None else parent.commit.backup_id,
            state=EntryState.OPEN,
            generation=self._directory.block.generation + 1,
            start=self.tail,
            end=0,
            commit=None,
            started=now,
            changed=now,
        )
        writer = BackupWriter(
            new,
            Owner(self.id, new.backup_id, opened.generation),
            self._device,
            opened.start,
            parent=parent,
            started=now,
            segment_size=segment_size,
            check=lambda: self._require_open(opened, parent),
            commit=lambda ref, end: self._directory.commit(opened, ref, end),
            clock=self._directory.now,
        )
        self._directory.store_entries((*kept, opened), now)
        return writer

    def drop(self, backup_id: UUID, chain: Iterable[Container] = ()) -> Remains:
        """Delete a backup, committed or only begun, and say what is left; its children live on.

        Its space that no living backup needs is reclaimed, here and in the rest of the chain. An
        interrupted call is finished by the next one.

        :param chain: the chain's other containers, which may be changed too: those that the
            backup's blocks lie in, and those that have blocks here.
        :raises BackupNotInContainer: it is not here, or was deleted before.
        """
        self.doom(backup_id)
        self.reclaim(chain)
        return self.remains

    def doom(self, backup_id: UUID) -> None:
        """Make a backup unreadable, though it keeps its space; discard one that is only begun.

        :raises BackupNotInContainer: it is not here, or was deleted before.
        """
        self._directory.reload()
        gone = self._directory.entry_of(backup_id)
        if gone.state is EntryState.DEAD:
            raise BackupNotInContainer(backup_id, self.id, deleted=True)
        if gone.state is EntryState.OPEN:
            self._discard_open()
            self._directory.store_entries(one for one in self.entries if one is not gone)
        elif gone.state is EntryState.COMMITTED:
            self._directory.change(gone, EntryState.DYING)

    def require(self, backup_id: UUID, *, or_dying: bool = False) -> None:
        """Check again that a backup is committed, or at least that its space is not reclaimed.

        :raises BackupNotInContainer: it is not, or no longer.
        """
        self._directory.reload()
        good = (EntryState.COMMITTED, EntryState.DYING) if or_dying else (EntryState.COMMITTED,)
        if self._directory.entry_of(backup_id).state not in good:
            raise BackupNotInContainer(backup_id, self.id, deleted=True)

    def reclaim(self, chain: Iterable[Container]) -> None:
        """Reclaim the space that only deleted backups needed; ``chain`` as for :meth:`drop`."""
        others = tuple(container for container in chain if container.id != self.id)
        for other in others:
            other._directory.reload()
        for entry in self.entries:
            if entry.state in (EntryState.DYING, EntryState.VACANT) and entry.commit is not None:
                self._finish(entry, entry.commit, others)
        if not any(other.remains is Remains.BACKUPS for other in others):
            self._forget_dead_tail()

    def remember(self, spots: Iterable[Spot]) -> None:
        """Record which stored bytes were found bad: no later incremental inherits them."""
        self._directory.reload()
        known = set(self.spots)
        new = tuple(dict.fromkeys(spot for spot in spots if spot not in known))
        if new:
            self._directory.store(replace(self._directory.block, spots=(*self.spots, *new)))

    def repair(self) -> None:
        """Repair metadata that was found damaged, from its copy; may raise OSError."""
        self._directory.reload()
        self.copies.repair()
        if self.damaged_slots:
            self._directory.store_entries(self.entries)

    def _finish(self, entry: Entry, commit: RecordRef, others: Sequence[Container]) -> None:
        vacant = entry.state is EntryState.VACANT
        if not vacant and not reclaim(self, entry, commit, others):
            # Written down, because what it was found out from is given back now.
            self._directory.change(entry, EntryState.VACANT)
            vacant = True
        if vacant:
            vacate(self, entry, commit)
        self._directory.change(entry, EntryState.DEAD)

    def _discard_open(self) -> None:
        """Discard what a backup wrote that was begun and never committed, durably."""
        for entry in self.entries:
            if entry.state is EntryState.OPEN:
                _, length = survey(self._device, entry.backup_id, entry.start)
                # Behind the last record that is there with all before it, others may be: several
                # were being written. Nothing lies behind an open backup.
                length = min(length + MOST_UNDER_WAY, self._device.size - entry.start)
                self._device.discard(entry.start, length)
                # Once the superblock names it no longer, nobody would do it again.
                self._device.flush()

    def _forget_dead_tail(self) -> None:
        """Let the next backup begin where the last one that is not gone ends."""
        kept = list(self.entries)
        while kept and kept[-1].state is EntryState.DEAD:
            gone = kept.pop()
            self._device.discard(gone.start, gone.end - gone.start)
        if len(kept) < len(self.entries):
            # Once the superblock names them no longer, nobody would do it again.
            self._device.flush()
            block = replace(self._directory.block, entries=tuple(kept))
            # What will lie there is not what was found bad.
            tail = block.tail
            spots = (s for s in self.spots if s.container_id != self.id or s.offset < tail)
            self._directory.store(replace(block, spots=tuple(spots)))

    def _require_open(self, opened: Entry, parent: BackupReader | None) -> None:
        """Check that a begun backup's range is still its own, and that its parent still exists."""
        if parent is not None:
            # In another container it may be deleted meanwhile; giving it back waits for our lock.
            parent.require_living(or_dying=parent.home_id != self.id)
        self._directory.require_open(opened)
