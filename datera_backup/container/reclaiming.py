# SPDX-License-Identifier: Apache-2.0
"""Reclaiming the space that only a deleted backup needed.

What a backup refers to at some place of the volume was written by one backup of its chain and is
referred to, at the same place, by that one and by those that came after it until it changed. So
whatever a living backup shares with a deleted one, it shares with the living ones that are next to
it in the chain, with none but deleted ones between: only these are compared, page by page, and what
they have in common is not even read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from datera_backup.container import committed, notices
from datera_backup.container.copies import Copies
from datera_backup.container.device import Device
from datera_backup.container.errors import LayoutDamaged
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.geometry import aligned, padded
from datera_backup.container.format.index import FAN_OUT, pages_at
from datera_backup.container.format.log_record import RecordRef, places
from datera_backup.container.format.manifest import ChunkMap
from datera_backup.container.format.superblock import Entry, EntryState
from datera_backup.container.reader import BackupReader, Home

_MOST_RANGES = 1 << 16


class ChainMember(Home, Protocol):
    """An open container, of which the superblock can be read."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All backups that the superblock knows, in the order of the log, dead ones too."""


def reclaim(
    home: ChainMember, entry: Entry, commit: RecordRef, others: Sequence[ChainMember]
) -> bool:
    """Reclaim the space that only this deleted backup needed.

    A call that was interrupted can be made again. What is unknown keeps its space.

    :param commit: where its commit record lies.
    :param others: the other containers of the chain.
    :returns: whether a living backup may need anything in the backup's range; else nothing in it
        was given back yet.
    """
    containers = (home, *others)
    try:
        gone = BackupReader(_Doomed(home, entry), entry.backup_id)
        near = [
            BackupReader(container, backup_id)
            for container, backup_id in neighbours(entry.backup_id, containers)
        ]
        own_serves = _Comparison(
            gone, near, entry, {one.id: one.device for one in containers}
        ).give_back()
    except LayoutDamaged as exc:
        notices.tell(f"Backup {entry.backup_id} keeps some of its space: {exc}")
        own_serves = True
    if own_serves:
        erase(home.device, commit)
    for container in containers:
        container.device.flush()
    return own_serves


def vacate(home: ChainMember, entry: Entry, commit: RecordRef) -> None:
    """Reclaim the whole range of a backup that no living backup needs."""
    erase(home.device, commit)
    home.device.discard(entry.start, entry.end - entry.start)
    home.device.flush()


def erase(device: Device, commit: RecordRef) -> None:
    """Make the commit record of a deleted backup unreadable, whatever the device can do."""
    # Nothing else lies in the units that it begins in.
    length = padded(commit.length)
    for place in places(commit.offset):
        try:
            device.pwrite(place, bytes(length))
            device.flush()
        except OSError as exc:
            # The superblock says that it was deleted; only a scan would find it there.
            notices.tell(
                f"The commit record of a deleted backup at byte {place} is not overwritten: {exc}."
            )
        device.discard(place, length)


def neighbours(
    backup_id: UUID, containers: Iterable[ChainMember]
) -> Iterator[tuple[ChainMember, UUID]]:
    """Yield the living backups that have none but deleted ones between them and this one.

    Where a container of the chain is gone, it is no longer known who was whose parent in it: all
    that this one is not known to descend from, or not to be before, count as next to it.
    """
    nodes = {entry.backup_id: (one, entry) for one in containers for entry in one.entries}
    next_to: dict[UUID, list[UUID]] = defaultdict(list)
    for _, entry in nodes.values():
        if entry.parent_id in nodes:
            next_to[entry.backup_id].append(entry.parent_id)
            next_to[entry.parent_id].append(entry.backup_id)
    related = _reachable(backup_id, next_to)
    # Through what is gone they may have met.
    next_to[backup_id] += nodes.keys() - related
    seen, pending = {backup_id}, [backup_id]
    while pending:
        for near in next_to[pending.pop()]:
            if near in seen:
                continue
            seen.add(near)
            container, entry = nodes[near]
            if entry.state is EntryState.COMMITTED:
                yield container, near
            else:
                pending.append(near)


def _reachable(start: UUID, next_to: Mapping[UUID, Sequence[UUID]]) -> set[UUID]:
    seen, pending = {start}, [start]
    while pending:
        new = set(next_to.get(pending.pop(), ())) - seen
        seen |= new
        pending += new
    return seen


@dataclass(frozen=True)
class _Doomed:
    """A container as the home of a backup that was deleted, and can still be read."""

    container: ChainMember
    entry: Entry

    @property
    def id(self) -> UUID:
        return self.container.id

    @property
    def device(self) -> Device:
        return self.container.device

    @property
    def copies(self) -> Copies:
        return self.container.copies

    @property
    def distrusts_any(self) -> bool:
        return False

    def distrusts(self, _container_id: UUID, _offset: int) -> bool:
        return False

    def require(self, backup_id: UUID, *, or_dying: bool = False) -> None:
        self.commit_of(backup_id)

    def commit_of(self, backup_id: UUID) -> Commit:
        if self.entry.commit is None:
            raise LayoutDamaged(f"Backup {backup_id} was never committed.")
        return committed.read(self.copies, self.id, backup_id, self.entry.commit)


@dataclass
class _Comparison:
    """A deleted backup beside the living ones next to it.

    :param devices: those of all containers of the chain.
    """

    gone: BackupReader
    near: Sequence[BackupReader]
    entry: Entry
    devices: dict[UUID, Device]
    own_serves: bool = False
    """Whether a living backup needs anything in the deleted one's own range, or may do so."""
    _ranges: dict[UUID, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    _records: list[tuple[int, int]] = field(default_factory=list)
    _count: int = 0

    def give_back(self) -> bool:
        """Discard all that is not shared; return whether the own range is needed by anybody.

        Metadata goes last, what refers to something after that. So whoever does it again finds
        either all of it, or that the blocks were dealt with.
        """
        self._page(self.gone.depth, 0)
        self._discard()
        if self.own_serves:
            device = self.devices[self.gone.home_id]
            device.flush()
            for offset, length in self._records:
                for place in places(offset):
                    device.discard(place, length)
        return self.own_serves

    def _page(self, level: int, number: int) -> None:
        """Look at an index page, or at a manifest, and at all that it refers to."""
        ref = self.gone.ref(level, number)
        if ref is None:
            return
        try:
            shared = self._is_shared(ref, level, number)
            others = [] if level or shared else self._living_chunks(number)
        except LayoutDamaged:
            # What a living backup needs below is not known.
            self.own_serves = True
            return
        if shared:
            self._serves(self.gone.home_id, ref.offset)
            return
        try:
            mine = self._read(ref, level, number)
        except LayoutDamaged:
            # A call that was interrupted may have given it back, after all that it refers to.
            self.own_serves = True
        else:
            if mine is not None:
                self._blocks(mine, others)
            else:
                self._pages_below(level, number)
        self._add_record(ref)

    def _is_shared(self, ref: RecordRef, level: int, number: int) -> bool:
        return any(
            one.home_id == self.gone.home_id and one.ref(level, number) == ref for one in self.near
        )

    def _living_chunks(self, number: int) -> list[ChunkMap]:
        found = (one.chunk(number) for one in self.near if number < one.chunk_count)
        return [chunk for chunk in found if chunk is not None]

    def _read(self, ref: RecordRef, level: int, number: int) -> ChunkMap | None:
        if level == 0:
            return self.gone.chunk_at(ref, number)
        self.gone.page(level, number)
        return None

    def _pages_below(self, level: int, number: int) -> None:
        end = min((number + 1) * FAN_OUT, pages_at(self.gone.chunk_count, level - 1))
        for below in range(number * FAN_OUT, end):
            self._page(level - 1, below)

    def _blocks(self, mine: ChunkMap, others: Sequence[ChunkMap]) -> None:
        for position, codec in enumerate(mine.codecs):
            if not codec:
                continue
            container_id, offset = _where(mine, position)
            if any(_has(other, position, (container_id, offset)) for other in others):
                self._serves(container_id, offset)
            else:
                self._add(container_id, offset, mine.length(position))

    def _serves(self, container_id: UUID, offset: int) -> None:
        own = container_id == self.gone.home_id
        self.own_serves |= own and self.entry.start <= offset < self.entry.end

    def _add_record(self, ref: RecordRef) -> None:
        length = aligned(ref.length)
        if self._records:
            offset, before = self._records[-1]
            if offset + before == ref.offset:
                self._records[-1] = offset, before + length
                return
        self._records.append((ref.offset, length))

    def _add(self, container_id: UUID, offset: int, length: int) -> None:
        self._ranges[container_id].append((offset, length))
        self._count += 1
        if self._count >= _MOST_RANGES:
            self._discard()

    def _discard(self) -> None:
        for container_id, found in self._ranges.items():
            device = self.devices.get(container_id)
            if device is not None:
                for offset, length in merged(found):
                    device.discard(offset, length)
        self._ranges.clear()
        self._count = 0


def _where(chunk: ChunkMap, position: int) -> tuple[UUID, int]:
    location = chunk.location(position)
    return chunk.containers[location.container], location.offset


def _has(chunk: ChunkMap, position: int, place: tuple[UUID, int]) -> bool:
    return (
        position < chunk.block_count
        and chunk.codecs[position] != 0
        and _where(chunk, position) == place
    )


def merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield ranges (offset, length) in their order, those that touch as one."""
    first = end = -1
    for offset, length in sorted(ranges):
        if offset > end:
            if end > first:
                yield first, end - first
            first, end = offset, offset
        end = max(end, offset + length)
    if end > first:
        yield first, end - first
