# SPDX-License-Identifier: Apache-2.0
"""A backup, readable at any offset."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from datera_backup.container import (
    GIB,
    MIB,
    BackupNotInContainer,
    BackupReader,
    BlockDamaged,
    ChunkMap,
    DamageKind,
    LayoutDamaged,
    ManifestDamaged,
)
from datera_backup.container.device import Buffer, Device, read_into
from datera_backup.container.format.manifest import zero_runs
from datera_backup.engine.errors import ContainerSilent
from datera_backup.engine.pipeline.threads import unpatched_threading
from datera_backup.engine.plan import Run, parts, runs
from datera_backup.engine.random_access.kept import Kept
from datera_backup.engine.recovery import Missing
from datera_backup.engine.verifier import Verifier

_MOST_ROWS = 1 << 18
"""Blocks whose manifests are kept: 12 MiB."""

_MOST_PLAIN = 8 * MIB
"""Bytes of blocks that are kept because only a part of them was wanted."""

_PROBE = 4096


class RandomAccess:
    """A committed backup, readable at any offset; many threads may use it at once.

    Each block is verified whenever it is read. Manifests are kept in bounded memory.
    """

    def __init__(self, backup: BackupReader) -> None:
        """Prepare; nothing is read yet.

        :raises ContainerMissing: a container that holds a block was not handed in.
        :raises PackageMissing: the backup's digest needs a package that is not installed.
        """
        backup.require_all()
        self._backup = backup
        self._geometry = backup.commit.geometry
        self._living = unpatched_threading().Lock()
        self._chunks = Kept[ChunkMap](max(2, _MOST_ROWS // self._geometry.blocks_per_chunk))
        self._partial = Kept[bytes](max(2, _MOST_PLAIN // self._geometry.block_size))
        self._verifiers = deque([Verifier(backup.commit)])

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._backup.commit.source_size

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges that may hold anything but zeros: offset and length, in their order.

        After a GiB at most: whoever asks may want to stop.
        """
        begin = end = 0
        for start, stop in self._ranges():
            if start != end or end - begin >= GIB:
                if end > begin:
                    yield begin, end - begin
                begin = start
            end = stop
        if end > begin:
            yield begin, end - begin

    def read_into(self, offset: int, buffer: memoryview) -> list[Missing]:
        """Fill the buffer from an offset of the volume on.

        :returns: the damaged ranges, in order; their bytes in the buffer are zeros.
        :raises ValueError: the volume ends before the buffer is full.
        :raises BackupNotInContainer: the backup was deleted meanwhile.
        :raises ContainerSilent: a container's device no longer answers.
        """
        end = offset + len(buffer)
        if not 0 <= offset <= end <= self.size:
            raise ValueError(f"bytes {offset} to {end} are not in a volume of {self.size}")
        buffer[:] = bytes(len(buffer))
        missing: list[Missing] = []
        try:
            verifier = self._verifiers.pop()
        except IndexError:
            verifier = Verifier(self._backup.commit)  # each thread needs its own
        try:
            for start, until in parts(offset, end, self._geometry.chunk_size):
                request = _Request(start, until, buffer[start - offset : until - offset])
                missing += self._read_chunk(request, verifier)
        finally:
            self._verifiers.append(verifier)
        if missing:
            self._require_living()
        return sorted(missing, key=lambda one: one.offset)

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Yield where they begin and end, neighbours not joined."""
        block_size, chunk_size = self._geometry.block_size, self._geometry.chunk_size
        for stretch in self._backup.stretches():
            start = stretch.first * chunk_size
            stop = min(start + stretch.count * chunk_size, self.size)
            if stretch.error is None and stretch.ref is None:
                continue
            try:
                chunk = None if stretch.error else self._chunk(stretch.first)
            except ManifestDamaged:
                chunk = None
            if chunk is None:
                yield start, stop  # not known
                continue
            begin = start
            for first, end in zero_runs(chunk.codecs):
                if start + first * block_size > begin:
                    yield begin, start + first * block_size
                begin = start + end * block_size
            if stop > begin:
                yield begin, stop

    def _chunk(self, number: int) -> ChunkMap | None:
        chunk = self._chunks.get(number)
        # One that is all zero is not kept: the page that says so is.
        ref = None if chunk else self._backup.manifest_ref(number)
        if ref is not None:
            chunk = self._backup.chunk_at(ref, number)
            self._chunks.put(number, chunk)
        return chunk

    def _read_chunk(self, request: _Request, verifier: Verifier) -> Iterator[Missing]:
        number = request.start // self._geometry.chunk_size
        try:
            chunk = self._chunk(number)
        except ManifestDamaged as damage:
            self._require_answer(self._backup.devices[self._backup.home_id], damage)
            yield Missing(request.start, request.until - request.start, str(damage))
            return
        if chunk is None:
            return
        size, before = self._geometry.block_size, number * self._geometry.blocks_per_chunk
        first, last = request.start // size - before, (request.until - 1) // size - before
        known = {place for place in {first, last} if self._copy_known(before + place, request)}
        wanted = set(range(first, last + 1)) - known
        for run in runs(chunk, max(1, MIB // size), MIB, wanted.__contains__):
            yield from self._read_run(run, request, verifier)

    def _read_run(self, run: Run, request: _Request, verifier: Verifier) -> Iterator[Missing]:
        data = memoryview(bytearray(run.length))
        try:
            read_into(self._backup.devices[run.container], run.offset, data)
        except LayoutDamaged:
            data = data[:0]  # block by block
        size = self._geometry.block_size
        for place, at, length in run.blocks():
            block = verifier.block_number(run, place)
            stored = data[at : at + length] if data else None
            try:
                plain = self._plain(run, place, at, stored, verifier)
            except BlockDamaged as damage:
                start = max(request.start, block * size)
                until = min(request.until, block * size + size)
                yield Missing(start, until - start, str(damage))
                continue
            if request.copy(block * size, plain):
                self._partial.put(block, bytes(plain))

    def _plain(
        self, run: Run, place: int, at: int, stored: memoryview | None, verifier: Verifier
    ) -> Buffer:
        device, length = self._backup.devices[run.container], run.chunk.length(place)
        if stored is not None:
            try:
                return verifier.plain(run, place, at, stored)
            except BlockDamaged:
                # It may be what this host had cached before another one wrote there.
                device.forget(run.offset + at, length)
        fresh = memoryview(bytearray(length))
        try:
            read_into(device, run.offset + at, fresh)
        except LayoutDamaged as failure:
            self._require_answer(device, failure)
            raise verifier.unread(run, place, at, failure) from failure
        return verifier.plain(run, place, at, fresh)

    # Blocks of which only a part was wanted: whoever reads on wants the rest

    def _copy_known(self, block: int, request: _Request) -> bool:
        plain = self._partial.get(block)
        if plain is None:
            return False
        request.copy(block * self._geometry.block_size, plain)
        return True

    # What is not damage

    def _require_living(self) -> None:
        """Check that what is missing is not missing because the backup was deleted."""
        try:
            with self._living:
                self._backup.require_living()
        except BackupNotInContainer as gone:
            # The container may have forgotten it by now, but it was there.
            raise BackupNotInContainer(gone.backup_id, gone.container_id, deleted=True) from gone
        except LayoutDamaged:
            return  # the superblocks too: what was found stands

    @staticmethod
    def _require_answer(device: Device, failure: LayoutDamaged) -> None:
        """Check that a device which reports an error does so for some of its bytes only."""
        if failure.finding is not DamageKind.UNREADABLE:
            return
        try:
            device.forget(0, _PROBE)
            read_into(device, 0, memoryview(bytearray(_PROBE)))
        except (LayoutDamaged, OSError) as silence:
            raise ContainerSilent(silence) from failure


class _Request(NamedTuple):
    """A range of the volume within one chunk, and where its bytes are to go."""

    start: int
    until: int
    buffer: memoryview

    def copy(self, at: int, plain: Buffer) -> bool:
        """Copy what is wanted of a block, and say whether that is only a part of it."""
        start, until = max(self.start, at), min(self.until, at + len(plain))
        part = memoryview(plain)[start - at : until - at]
        self.buffer[start - self.start : until - self.start] = part
        return len(part) < len(plain)
