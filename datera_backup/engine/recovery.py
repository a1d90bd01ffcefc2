# SPDX-License-Identifier: Apache-2.0
"""Recovering the intact blocks of a damaged backup, and listing what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from datera_backup.container import (
    BackupReader,
    BlockDamaged,
    LayoutDamaged,
    ManifestDamaged,
    notices,
)
from datera_backup.container.device import Device, read
from datera_backup.container.format.codec import Decompressor, Undecodable
from datera_backup.container.format.commit import Writer
from datera_backup.container.format.geometry import digest_function
from datera_backup.container.scanning import FoundSegment, Scan
from datera_backup.engine.restore import Damage
from datera_backup.engine.sink import Sink

_WINDOW = 1 << 16
"""Blocks whose places are kept at a time; what segments say is read once for each so many."""


@dataclass(frozen=True)
class Missing:
    """A range of the volume that is not there, and why."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True)
class _Place:
    """Where a block lies by what its segment says; nowhere where it is zero."""

    device: Device | None
    offset: int = 0
    length: int = 0
    codec: int = 0
    digest: bytes = b""


def recover(
    backup: BackupReader,
    damage: Sequence[Damage],
    scans: Callable[[], Sequence[Scan]],
    sink: Sink,
) -> list[Missing]:
    """Write what a restore could not find by manifests, and return what is missing even so.

    Segments say which blocks lie in them, and the commit record which backups wrote a backup's
    blocks, the newest first. Where all segments of a backup are there, a block that is in none of
    them was not changed by it; where one is missing, nothing more can be known.

    :param scans: makes those of all containers of the chain that there are, if they are needed.
    """
    missing = [
        Missing(one.offset, one.length, str(one.error))
        for one in damage
        if isinstance(one.error, BlockDamaged)
    ]
    lost = [one for one in damage if isinstance(one.error, ManifestDamaged)]
    if lost:
        missing += _by_segments(backup, lost, scans(), sink)
    return sorted(missing, key=lambda one: one.offset)


def _blocks(backup: BackupReader, damage: Damage) -> range:
    block_size = backup.commit.geometry.block_size
    end = damage.offset + damage.length
    return range(damage.offset // block_size, -(-end // block_size))


def _by_segments(
    backup: BackupReader, lost: Sequence[Damage], scans: Sequence[Scan], sink: Sink
) -> Iterator[Missing]:
    segments = _Segments(backup, scans)
    for damage in lost:
        blocks = _blocks(backup, damage)
        for start in range(blocks.start, blocks.stop, _WINDOW):
            window = range(start, min(start + _WINDOW, blocks.stop))
            places, known = segments.places(window)
            for block, place in sorted(places.items()):
                reason = _write(backup, block, place, sink)
                if reason:
                    yield _missing(backup, range(block, block + 1), reason)
            if not known:
                for unknown in _gaps(window, places):
                    yield _missing(backup, unknown, str(damage.error))


def _missing(backup: BackupReader, blocks: range, reason: str) -> Missing:
    block_size = backup.commit.geometry.block_size
    end = min(blocks.stop * block_size, backup.commit.source_size)
    return Missing(blocks.start * block_size, end - blocks.start * block_size, reason)


def _gaps(window: range, places: Iterable[int]) -> Iterator[range]:
    """Yield the runs of blocks of a window that are not among some of them."""
    expected = window.start
    for block in sorted(places):
        if block > expected:
            yield range(expected, block)
        expected = block + 1
    if expected < window.stop:
        yield range(expected, window.stop)


def _write(backup: BackupReader, block: int, place: _Place, sink: Sink) -> str:
    """Write a block where it belongs, and return what is wrong with it, if anything is."""
    geometry = backup.commit.geometry
    if place.device is None:
        return ""
    try:
        if place.length > geometry.block_size:
            raise Undecodable(f"{place.length} bytes are more than a block takes")
        stored = read(place.device, place.offset, place.length)
        length = geometry.length_of(backup.commit.source_size, block)
        plain = Decompressor().decompress(place.codec, stored, length)
        if digest_function(geometry.digest)(plain) != place.digest:
            raise Undecodable("its bytes have changed")
    except (LayoutDamaged, Undecodable) as exc:
        return f"Block {block} at byte {place.offset} of its container: {exc}"
    sink.write(block * geometry.block_size, [plain])
    return ""


class _Segments:
    """What the segments say that a backup's blocks may lie in."""

    def __init__(self, backup: BackupReader, scans: Sequence[Scan]) -> None:
        self._commit = backup.commit
        self._found = [_found(writer, scans) for writer in backup.commit.writers]
        # The first and the last block of each segment that was looked at.
        self._reach: dict[tuple[UUID, int], tuple[int, int]] = {}

    def places(self, window: range) -> tuple[dict[int, _Place], bool]:
        """Return where blocks lie, and whether all others of the window are zero."""
        places: dict[int, _Place] = {}
        for writer, found in zip(self._commit.writers, self._found, strict=True):
            complete = len(found) == writer.segments
            older = dict(places)
            for scan, segment in found.values():
                try:
                    for block, place in self._in_segment(scan, segment, window):
                        places[block] = older.get(block, place)
                except LayoutDamaged as exc:
                    notices.tell(str(exc))
                    complete = False
            if not complete:
                return places, False
        return places, self._commit.all_writers

    def _in_segment(
        self, scan: Scan, found: FoundSegment, window: range
    ) -> Iterator[tuple[int, _Place]]:
        first, last = self._reach.get((scan.id, found.payload), (window.start, window.stop))
        if last < window.start or window.stop <= first:
            return
        contents = scan.contents(found)
        reach = [*contents.numbers]
        for start, count in contents.zeroed:
            reach += (start, start + count)
            zeros = range(max(start, window.start), min(start + count, window.stop))
            yield from ((block, _Place(None)) for block in zeros)
        self._reach[scan.id, found.payload] = min(reach, default=0), max(reach, default=0)
        for row, (block, start) in enumerate(zip(contents.numbers, contents.starts, strict=True)):
            if block in window:
                yield (
                    block,
                    _Place(
                        scan.device,
                        found.payload + start,
                        contents.lengths[row],
                        contents.codecs[row],
                        contents.digest(row),
                    ),
                )


def _found(writer: Writer, scans: Sequence[Scan]) -> dict[int, tuple[Scan, FoundSegment]]:
    """Return by their numbers the segments of a writer that anybody has."""
    found: dict[int, tuple[Scan, FoundSegment]] = {}
    for scan in scans:
        own = scan.segments.get((writer.backup_id, writer.generation), {})
        for number, segment in own.items():
            if number < writer.segments:
                found.setdefault(number, (scan, segment))
    return found
