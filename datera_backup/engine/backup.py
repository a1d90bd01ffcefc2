# SPDX-License-Identifier: Apache-2.0
"""Backing up a source into a container."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

from datera_backup.container import BackupWriter, ChunkMap, Codec, Commit
from datera_backup.container.device import Buffer
from datera_backup.container.format.codec import compressor
from datera_backup.container.format.geometry import digest_function
from datera_backup.engine.buffers import Buffers
from datera_backup.engine.job import Job, Progress, Step
from datera_backup.engine.settings import Settings
from datera_backup.engine.source import Source

Stored = tuple[bytes, Codec, Buffer]
"""A new block's digest, codec and stored bytes."""

Finding = Stored | int | None
"""A new block; the place in the parent's chunk of a block that is there too; None for zeros."""


@dataclass
class Batch:
    """Neighbouring blocks of one chunk.

    :param first: number of the first block within its chunk.
    :param data: their bytes; None where they lie in a hole.
    :param findings: one for each block; none at all where all are zero.
    :param lent: whether findings lie in the buffer, and are written from there.
    """

    first: int
    blocks: int
    length: int
    data: memoryview | None = None
    buffer: memoryview | None = None
    parent: ChunkMap | None = None
    findings: list[Finding] = field(default_factory=list)
    lent: bool = False

    def settle(self) -> None:
        """Decide whether blocks that do not compress are written from the buffer, or from copies.

        A buffer is kept until the segment is written, so that as many are kept as a segment has
        room for. Where it is for less than half of its bytes, they are copied instead.
        """
        room = 0 if self.buffer is None else len(self.buffer)
        raw = {n: f for n, f in enumerate(self.findings) if type(f) is tuple and f[1] is Codec.RAW}
        self.lent = 2 * sum(len(stored) for _, _, stored in raw.values()) >= room
        if not self.lent:
            for place, (digest, codec, stored) in raw.items():
                self.findings[place] = digest, codec, bytes(stored)


class BackupJob(Job[Commit]):
    """Reads a source, stores what is new of it, and commits.

    A job that fails or is cancelled commits nothing: the container keeps the backup as begun, and
    ``Container.drop`` or the next ``Container.begin`` takes its range back.
    """

    def __init__(
        self,
        source: Source,
        writer: BackupWriter,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :raises ValueError: the source has another size than the backup.
        """
        if source.size != writer.source_size:
            raise ValueError(
                f"the source has {source.size} bytes, the backup is of {writer.source_size}"
            )
        settings = settings or Settings()
        super().__init__(_Stages(source, writer, settings), settings, settings.backup_rate)


class _Stages:
    def __init__(
        self,
        source: Source,
        writer: BackupWriter,
        settings: Settings,
    ) -> None:
        self._source = source
        self._writer = writer
        self._parent = writer.parent
        self._settings = settings
        self._geometry = writer.geometry
        self._batch_blocks = max(1, settings.batch_size // self._geometry.block_size)
        self._batch_size = self._batch_blocks * self._geometry.block_size
        self._buffers = Buffers(self._batch_size)
        self._parent_number = -1
        self._parent_map: ChunkMap | None = None
        self._lent: list[memoryview] = []
        self._done = 0

    def produce(self) -> Iterator[Step[Batch]]:
        block_size, size = self._geometry.block_size, self._source.size
        position = 0
        for first, end in data_blocks(self._source.extents(), block_size, size):
            if first > position:
                yield Step(self._hole(position, first))
            yield from self._read(first, end)
            position = end
        blocks = self._geometry.blocks(size)
        if position < blocks:
            yield Step(self._hole(position, blocks))

    def _hole(self, first: int, end: int) -> Batch:
        return Batch(0, end - first, self._length(first, end))

    def _length(self, first: int, end: int) -> int:
        block_size = self._geometry.block_size
        return min(end * block_size, self._source.size) - first * block_size

    def _read(self, first: int, end: int) -> Iterator[Step[Batch]]:
        per_chunk = self._geometry.blocks_per_chunk
        while first < end:
            chunk = first // per_chunk
            parent = self._parent_chunk(chunk)
            until = min(end, first + self._batch_blocks, (chunk + 1) * per_chunk)
            length = self._length(first, until)
            buffer = self._buffers.take()
            data = buffer[:length]
            self._source.readinto(first * self._geometry.block_size, data)
            batch = Batch(first % per_chunk, until - first, length, data, buffer, parent)
            yield Step(batch, needs_work=True, moves=length)
            first = until

    def _parent_chunk(self, number: int) -> ChunkMap | None:
        parent = self._parent
        if parent is None:
            return None
        # Kept, because a chunk with many holes is read in many pieces.
        if number != self._parent_number:
            self._parent_number, self._parent_map = number, parent.inheritable(number)
        return self._parent_map

    def worker(self) -> Callable[[Batch], None]:
        block_size = self._geometry.block_size
        digest_of = digest_function(self._geometry.digest)
        compress = compressor(self._settings.codec, self._settings.level).compress
        # Comparing a bytearray is the quickest test for zeros there is: it ends in memcmp.
        zero_batch, zero_block = bytearray(self._batch_size), bytearray(block_size)

        def find(block: memoryview, place: int, parent: ChunkMap | None) -> Finding:
            zeros = zero_block if len(block) == block_size else bytearray(len(block))
            if zeros == block:
                return None
            digest = digest_of(block)
            if parent is not None and parent.digest(place) == digest:
                return place
            return digest, *compress(block)

        def work(batch: Batch) -> None:
            data = batch.data
            if data is None or zero_batch == data:
                return
            parent = batch.parent
            batch.findings = [
                find(data[at : at + block_size], place, parent)
                for place, at in enumerate(range(0, len(data), block_size), batch.first)
            ]
            batch.settle()

        return work

    def consume(self, batch: Batch) -> None:
        writer = self._writer
        segments = writer.segments
        if not batch.findings:
            writer.zeros(batch.blocks)
        for kind, findings in groupby(batch.findings, type):
            run = list(findings)
            if kind is tuple:
                for digest, codec, stored in cast("list[Stored]", run):
                    writer.store(digest, codec, stored)
            elif batch.parent is not None and kind is int:
                writer.inherit(batch.parent, cast("int", run[0]), len(run))
            else:
                writer.zeros(len(run))
        if writer.segments != segments:
            # All but the last of these blocks may be in it, but everything that came before is.
            self._take_back()
        if batch.buffer is not None:
            (self._lent.append if batch.lent else self._buffers.give)(batch.buffer)
        self._done += batch.length

    def _take_back(self) -> None:
        for buffer in self._lent:
            self._buffers.give(buffer)
        self._lent.clear()

    def finish(self) -> Commit:
        return self._writer.commit()

    def progress(self) -> Progress:
        return Progress(self._done, self._source.size, self._writer.stored_bytes)


def data_blocks(
    extents: Iterator[tuple[int, int]], block_size: int, size: int
) -> Iterator[tuple[int, int]]:
    """Yield the ranges (first, end) of blocks that hold any byte of the extents."""
    first = end = 0
    for start, stop in extents:
        if stop <= start:
            continue
        touched = start // block_size, -(-min(stop, size) // block_size)
        if touched[0] <= end:
            end = max(end, touched[1])
            continue
        if first < end:
            yield first, end
        first, end = touched
    if first < end:
        yield first, end
