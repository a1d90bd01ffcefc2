# SPDX-License-Identifier: Apache-2.0
"""Scanning a device without its superblock, by its self-describing records.

A record counts only where it says that it lies, and only if it is of this container: what a volume
held may itself look like a container.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from datera_backup.container import committed, notices
from datera_backup.container.copies import Copies
from datera_backup.container.device import Device, read
from datera_backup.container.errors import (
    BackupNotInContainer,
    BytesUnreadable,
    ContainerError,
    LayoutDamaged,
    NotAContainer,
)
from datera_backup.container.format import segment
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.geometry import (
    COPY_DISTANCE,
    KIB,
    LOG_START,
    MIB,
    PAGE_ALIGNMENT,
    RECORD_HEADER_SIZE,
    padded,
)
from datera_backup.container.format.log_record import (
    COMMIT,
    KINDS,
    SEGMENT,
    Header,
    RecordRef,
)
from datera_backup.container.format.segment import Contents
from datera_backup.container.log import peek

_MAGIC = re.compile(b"|".join(KINDS))
_WINDOW = MIB
_SMALLEST = 4 * KIB


class FoundSegment(NamedTuple):
    """A segment whose header and list of blocks are intact.

    :param payload: the byte of the device where its first block lies.
    :param length: bytes of all blocks.
    :param trailer: bytes behind them that say which they are.
    """

    payload: int
    length: int
    trailer: int


Segments = dict[tuple[UUID, int], dict[int, FoundSegment]]
"""By a backup's id and the generation of its entry, then by their numbers."""


@dataclass(frozen=True)
class FoundCommit:
    """A commit record of which at least one copy is intact."""

    ref: RecordRef
    generation: int
    commit: Commit


@dataclass
class Scan:
    """What was found on one device; a backup can be read from it as from an open container.

    :ivar commits: the backups that were committed and, as far as the records tell, not deleted.
    :ivar segments: also of backups that were deleted. One that was begun anew has two sets, which
        the generation tells apart.
    :ivar unreadable: ranges (offset, length) where the device reports an error.
    """

    id: UUID
    device: Device
    copies: Copies
    commits: dict[UUID, FoundCommit] = field(default_factory=dict)
    segments: Segments = field(default_factory=dict)
    unreadable: list[tuple[int, int]] = field(default_factory=list)

    @property
    def distrusts_any(self) -> bool:
        """A scan knows of no blocks found bad before."""
        return False

    def distrusts(self, _container_id: UUID, _offset: int) -> bool:
        """A scan knows of no blocks found bad before."""
        return False

    def commit_of(self, backup_id: UUID) -> Commit:
        """Return a backup's commit record.

        :raises BackupNotInContainer: none was found.
        """
        found = self.commits.get(backup_id)
        if found is None:
            raise BackupNotInContainer(backup_id, self.id)
        return found.commit

    def require(self, backup_id: UUID, *, or_dying: bool = False) -> None:
        """Check that a backup was found.

        :raises BackupNotInContainer: it was not.
        """
        self.commit_of(backup_id)

    def contents(self, found: FoundSegment) -> Contents:
        """Read which blocks lie in a segment.

        :raises LayoutDamaged: that is not what was found.
        """
        try:
            trailer = read(self.device, found.payload + found.length, found.trailer)
            contents = segment.decode(trailer)
            if sum(contents.lengths) > found.length:
                raise ValueError("its blocks take more than it has")
        except ValueError as exc:
            raise LayoutDamaged(f"The segment before byte {found.payload} is: {exc}.") from exc
        return contents


def scan(device: Device, progress: Callable[[int, int], None] = lambda _done, _all: None) -> Scan:
    """Read a whole device and return what is found on it.

    :param progress: called now and then with the bytes that were looked at, and those in all.
    :raises NotAContainer: there is not a single record.
    """
    unreadable: list[tuple[int, int]] = []
    # Whose device it is, most of the records tell. Only what is needed is kept of each.
    counts: Counter[UUID] = Counter()
    found: dict[UUID, _Found] = defaultdict(_Found)
    for offset, header in _records(device, unreadable, progress):
        counts[header.owner.container_id] += 1
        found[header.owner.container_id].take(offset, header)
    if not counts:
        raise NotAContainer("The device holds no record of a container.")
    container_id, _ = counts.most_common(1)[0]
    copies = Copies(device, container_id)
    commits = [
        commit
        for offset, header in found[container_id].commits
        if (commit := _commit(copies, container_id, offset, header)) is not None
    ]
    return Scan(
        id=container_id,
        device=device,
        copies=copies,
        commits={
            one.commit.backup_id: one
            for one in commits
            if not any(_overwrote(other, one) for other in commits)
        },
        segments=found[container_id].segments,
        unreadable=unreadable,
    )


@dataclass
class _Found:
    """What is kept of the records of one container while it is not yet known which one it is."""

    commits: list[tuple[int, Header]] = field(default_factory=list)
    segments: Segments = field(default_factory=dict)

    def take(self, offset: int, header: Header) -> None:
        owner = header.owner
        if header.kind == COMMIT:
            self.commits.append((offset, header))
        elif header.kind == SEGMENT:
            payload = offset + RECORD_HEADER_SIZE
            of_backup = self.segments.setdefault((owner.backup_id, owner.generation), {})
            of_backup.setdefault(
                header.number, FoundSegment(payload, header.stored_length, header.trailer)
            )


def _overwrote(newer: FoundCommit, older: FoundCommit) -> bool:
    """Whether one backup began where another one, which had been deleted, lay before."""
    return newer.generation > older.generation and newer.commit.start <= older.ref.offset


def _commit(copies: Copies, container_id: UUID, offset: int, header: Header) -> FoundCommit | None:
    ref = RecordRef(header.offset, header.length, header.checksum)
    try:
        commit = committed.read(copies, container_id, header.owner.backup_id, ref)
    except ContainerError as exc:
        notices.tell(f"The commit record at byte {offset} is left out: {exc}")
        return None
    return FoundCommit(ref, header.owner.generation, commit)


def _records(
    device: Device, unreadable: list[tuple[int, int]], progress: Callable[[int, int], None]
) -> Iterator[tuple[int, Header]]:
    """Yield all intact records and their offsets."""
    size = device.size
    behind = LOG_START
    for offset in range(LOG_START, size, _WINDOW):
        progress(offset, size)
        if offset + _WINDOW <= behind:
            continue
        for part, raw in _readable(device, offset, min(_WINDOW, size - offset), unreadable):
            for match in _MAGIC.finditer(raw):
                place = part + match.start()
                if place < behind or place % PAGE_ALIGNMENT:
                    continue
                header = peek(device, place, _lies_at)
                if header is None:
                    continue
                yield place, header
                if header.kind == SEGMENT:
                    behind = place + padded(header.length)
    progress(size, size)


def _lies_at(header: Header, place: int) -> bool:
    """Whether a record was found at the offset that it names, or where its copy belongs."""
    if header.offset == place:
        return True
    return header.kind != SEGMENT and header.offset + COPY_DISTANCE == place


def _readable(
    device: Device, offset: int, length: int, unreadable: list[tuple[int, int]]
) -> Iterator[tuple[int, bytes]]:
    """Yield what can be read of a range."""
    try:
        yield offset, read(device, offset, length)
    except BytesUnreadable:
        if length <= _SMALLEST:
            unreadable.append((offset, length))
            return
        half = padded(length // 2)
        yield from _readable(device, offset, half, unreadable)
        yield from _readable(device, offset + half, length - half, unreadable)
    except LayoutDamaged:  # it has become shorter
        return
