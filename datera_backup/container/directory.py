# SPDX-License-Identifier: Apache-2.0
"""The entries of an open container's superblock, as this process has last seen or written them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from datera_backup.container.copies import Copies
from datera_backup.container.device import Device
from datera_backup.container.errors import (
    BackupNotInContainer,
    ContainerChanged,
    SuperblockOutdated,
    WrongContainer,
)
from datera_backup.container.format.clock import Clock
from datera_backup.container.format.log_record import RecordRef
from datera_backup.container.format.superblock import Entry, EntryState, Superblock
from datera_backup.container.slots import Slots


class Directory:
    """Which backups a container has; a writer holds the container's lock.

    Each change is durable when it returns.

    :ivar block: the superblock.
    :ivar copies: the container's metadata, of which it forgets what others may have changed.
    """

    def __init__(self, device: Device, slots: Slots, block: Superblock, clock: Clock) -> None:
        self.block = block
        self.copies = Copies(device, block.container_id)
        self.now = clock
        self._device = device
        self._slots = slots
        self._distrusted = {(spot.container_id, spot.offset) for spot in block.spots}

    @property
    def container_id(self) -> UUID:
        """The container's id."""
        return self.block.container_id

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All backups, in the order of the log, dead ones too."""
        return self.block.entries

    @property
    def damaged_slots(self) -> tuple[int, ...]:
        """Superblock slots (0, 1) that were not readable; the other one is used."""
        return self._slots.damaged

    @property
    def may_be_stale(self) -> bool:
        """Whether the device may have lost a newer superblock."""
        return self._slots.may_be_stale

    @property
    def distrusts_any(self) -> bool:
        """Whether any block was found bad once."""
        return bool(self._distrusted)

    def distrusts(self, container_id: UUID, offset: int) -> bool:
        """Whether a block was found bad once, by where it lies."""
        return (container_id, offset) in self._distrusted

    def entry_of(self, backup_id: UUID) -> Entry:
        """Return a backup's entry.

        :raises BackupNotInContainer: it has none.
        """
        for entry in reversed(self.entries):
            if entry.backup_id == backup_id:
                return entry
        raise BackupNotInContainer(backup_id, self.container_id)

    def reload(self) -> None:
        """Read what other holders of the lock have changed in the superblock.

        :raises SuperblockOutdated: it is older than what was seen before.
        """
        block = self._slots.load()
        if block.container_id != self.container_id:
            raise WrongContainer(self.container_id, block.container_id)
        # Where the newer slot is damaged, the other one has the same, by the generation before.
        if block.generation < self.block.generation - 1:
            raise SuperblockOutdated(self.container_id, block.generation, self.block.generation)
        if block.generation != self.block.generation:
            # A range may have been given back and used again.
            self._device.forget()
            self.copies.forget_faulty()
        self._take(block)

    def store(self, block: Superblock, now: datetime | None = None) -> None:
        """Write the next generation of the superblock.

        :param now: the time, if it is written elsewhere too.
        """
        self._take(self._slots.store(self.block, block, now or self.now()))

    def store_entries(self, entries: Iterable[Entry], now: datetime | None = None) -> None:
        """Write the next generation, with these entries."""
        self.store(replace(self.block, entries=tuple(entries)), now)

    def change(self, entry: Entry, state: EntryState) -> None:
        """Give a backup another state."""
        self.reload()
        now = self.now()
        changed = replace(entry, state=state, changed=now)
        self.store_entries(
            (changed if e.backup_id == entry.backup_id else e for e in self.entries), now
        )

    def require_open(self, opened: Entry) -> None:
        """Check that the range of a backup that is being written is still its own.

        :raises ContainerChanged: it is not.
        """
        self.reload()
        # What was begun last stands last, among thousands.
        if opened not in reversed(self.entries):
            raise ContainerChanged(
                f"Backup {opened.backup_id} is no longer open in container {self.container_id}: "
                "another process wrote to it."
            )

    def commit(self, opened: Entry, ref: RecordRef, end: int) -> None:
        """Turn a backup that was being written into a committed one.

        :param ref: its commit record.
        :param end: the end of its range.
        :raises ContainerChanged: another process wrote to its range.
        """
        self.require_open(opened)
        now = self.now()
        done = replace(opened, state=EntryState.COMMITTED, end=end, commit=ref, changed=now)
        entries = list(self.entries)
        entries[len(entries) - 1 - entries[::-1].index(opened)] = done
        self.store_entries(entries, now)

    def _take(self, block: Superblock) -> None:
        if block.spots != self.block.spots:
            self._distrusted = {(spot.container_id, spot.offset) for spot in block.spots}
        self.block = block
