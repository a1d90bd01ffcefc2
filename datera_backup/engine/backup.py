# SPDX-License-Identifier: Apache-2.0
"""Backing up a source into a container."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import cast

from datera_backup.container import BackupWriter, ChunkMap, Codec, Commit, ManifestDamaged
from datera_backup.container.device import Buffer
from datera_backup.container.format.codec import compressor
from datera_backup.container.format.geometry import digest_function
from datera_backup.engine.pipeline.ahead import read_ahead
from datera_backup.engine.pipeline.buffers import Buffers, is_worth_keeping
from datera_backup.engine.pipeline.job import Job, Progress, Step
from datera_backup.engine.pipeline.requests import Requests
from datera_backup.engine.pipeline.writes import Writes
from datera_backup.engine.plan import parts
from datera_backup.engine.rbd import MOST_REQUESTS, RbdSource
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.source import Source
from datera_backup.engine.zeros import is_zero

Stored = tuple[bytes, Codec, Buffer]
"""A new block's digest, codec and stored bytes."""

BlockFound = Stored | int | None
"""A new block; the place in the parent's chunk of a block that is there too; None for zeros."""


@dataclass
class Batch:
    """Neighbouring blocks of one chunk.

    :param first: number of the first block, counted from the start of the source.
    :param place: … within its chunk.
    :param data: their bytes, once they are fetched; None where they lie in a hole.
    :param findings: one for each block; none at all where all are zero.
    :param lent: whether findings lie in the buffer, and are written from there.
    """

    first: int
    place: int
    blocks: int
    length: int
    data: memoryview | None = None
    buffer: memoryview | None = None
    parent: ChunkMap | None = None
    findings: list[BlockFound] = field(default_factory=list)
    lent: bool = False

    def settle(self) -> None:
        """Decide whether blocks that do not compress are written from the buffer, or from copies.

        A buffer is kept as a whole until the segment is written.
        """
        raw = {n: f for n, f in enumerate(self.findings) if type(f) is tuple and f[1] is Codec.RAW}
        used = sum(len(stored) for _, _, stored in raw.values())
        self.lent = self.buffer is not None and is_worth_keeping(self.buffer, used)
        if not self.lent:
            # Together, because many small copies leave more holes between them than they fill.
            copies, at = memoryview(b"".join(stored for _, _, stored in raw.values())), 0
            for place, (digest, codec, stored) in raw.items():
                self.findings[place] = digest, codec, copies[at : (at := at + len(stored))]


class BackupJob(Job[Commit]):
    """Reads a source, stores what is new of it, and commits.

    A job that fails or is cancelled commits nothing: the container keeps the backup as begun, and
    ``Container.drop`` or the next ``Container.begin`` takes its range back.
    """

    def __init__(
        self,
        source: Source,
        writer: BackupWriter,
        settings: EngineSettings | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :raises ValueError: the source has another size than the backup.
        """
        if source.size != writer.source_size:
            raise ValueError(
                f"the source has {source.size} bytes, the backup is of {writer.source_size}"
            )
        settings = (settings or EngineSettings()).for_blocks(writer.geometry.block_size)
        if isinstance(source, RbdSource):
            settings = settings.within(MOST_REQUESTS)
        requests = Requests()
        stages = _Stages(source, writer, settings, requests)
        super().__init__(stages, requests, settings, settings.backup_rate)


class _Stages:
    def __init__(
        self,
        source: Source,
        writer: BackupWriter,
        settings: EngineSettings,
        requests: Requests,
    ) -> None:
        self._source = source
        self._writer = writer
        self._requests = requests
        self._parent = writer.parent
        self._settings = settings
        self._geometry = writer.geometry
        self._batch_blocks = settings.batch_size // self._geometry.block_size
        self._buffers = Buffers(settings.batch_size, settings.batches)
        # Each with the segment that must be on the device before it may be used again.
        self._lent: deque[tuple[int, memoryview]] = deque()
        self._asked = -1
        self._done = 0
        self._writes = Writes(requests, settings.segment_writes)
        writer.write_through(self._writes)

    def produce(self) -> Iterator[Step[Batch]]:
        position, chunk = 0, -1
        parent: ChunkMap | None = None
        pieces = read_ahead(
            self._requests, self._pieces(), self._parents_chunk, self._settings.requests
        )
        for (first, end), read in pieces:
            if first > position:
                yield Step(self._batch(position, first))
            # A chunk with many holes is read in many pieces, its parent's with the first of them.
            if first // self._geometry.blocks_per_chunk != chunk:
                chunk, parent = first // self._geometry.blocks_per_chunk, read
            for start in range(first, end, self._batch_blocks):
                batch = self._batch(start, min(end, start + self._batch_blocks), parent)
                yield Step(batch, needs_fetch=True, needs_work=True, moves=batch.length)
            position = end
        blocks = self._geometry.blocks(self._source.size)
        if position < blocks:
            yield Step(self._batch(position, blocks))

    def _pieces(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges (first, end) of blocks that have to be read, each in one chunk."""
        per_chunk = self._geometry.blocks_per_chunk
        extents = self._source.extents()
        for first, end in data_blocks(extents, self._geometry.block_size, self._source.size):
            yield from parts(first, end, per_chunk)

    def _parents_chunk(self, piece: tuple[int, int]) -> Callable[[], ChunkMap | None] | None:
        """Return what reads the parent's chunk that blocks are in, if it was not asked for yet."""
        number, parent = piece[0] // self._geometry.blocks_per_chunk, self._parent
        if parent is None or number == self._asked:
            return None
        self._asked = number
        try:
            # Here, so that an index page is not asked for by many threads at once.
            if parent.manifest_ref(number) is None:
                return None
        except ManifestDamaged:
            pass  # whoever reads the chunk says so
        return partial(parent.inheritable, number)

    def _batch(self, first: int, end: int, parent: ChunkMap | None = None) -> Batch:
        block_size = self._geometry.block_size
        length = min(end * block_size, self._source.size) - first * block_size
        place = first % self._geometry.blocks_per_chunk
        return Batch(first, place, end - first, length, parent=parent)

    def fetch(self, batch: Batch) -> None:
        batch.buffer = self._buffers.take()
        batch.data = batch.buffer[: batch.length]
        self._source.readinto(batch.first * self._geometry.block_size, batch.data)

    def worker(self) -> Callable[[Batch], None]:
        block_size = self._geometry.block_size
        digest_of = digest_function(self._geometry.digest)
        compress = compressor(self._settings.codec, self._settings.level).compress

        def find(block: memoryview, place: int, parent: ChunkMap | None) -> BlockFound:
            if is_zero(block):
                return None
            digest = digest_of(block)
            if parent is not None and parent.digest(place) == digest:
                return place
            return digest, *compress(block)

        def work(batch: Batch) -> None:
            data, parent = batch.data, batch.parent
            if data is not None and not is_zero(data):
                batch.findings = [
                    find(data[at : at + block_size], place, parent)
                    for place, at in enumerate(range(0, len(data), block_size), batch.place)
                ]
                batch.settle()
            if batch.buffer is not None and not batch.lent:
                batch.data, buffer, batch.buffer = None, batch.buffer, None
                self._buffers.give(buffer)

        return work

    def consume(self, batch: Batch) -> None:
        writer = self._writer
        if batch.parent is not None:
            writer.compared_with(batch.parent)
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
        if batch.buffer is not None:
            # All its blocks are in this segment, or in those before.
            self._lent.append((writer.segment, batch.buffer))
        self._writes.settle()
        while self._lent and self._lent[0][0] < writer.segments:
            self._buffers.give(self._lent.popleft()[1])
        self._done += batch.length

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
