# SPDX-License-Identifier: Apache-2.0
"""Getting a backup back, or only finding out whether that would go well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from datera_backup.container import BackupReader, LayoutDamaged
from datera_backup.container.device import Buffer
from datera_backup.engine.buffers import Buffers
from datera_backup.engine.errors import SinkTooSmall
from datera_backup.engine.job import Job, Progress, Step
from datera_backup.engine.plan import Run, runs, zero_runs
from datera_backup.engine.sample import Sample
from datera_backup.engine.settings import Settings
from datera_backup.engine.sink import NullSink, Sink
from datera_backup.engine.verifier import Verifier

_MOST_ZEROS = 16 << 20


@dataclass(frozen=True)
class RestoreReport:
    """What was restored or verified.

    :param blocks: blocks that were read and found right.
    :param zero_bytes: bytes of the source that are zero, whether they were written or not.
    :param stored_bytes: bytes that the blocks take in the containers.
    """

    blocks: int
    zero_bytes: int
    bytes_written: int
    stored_bytes: int


class RestoreJob(Job[RestoreReport]):
    """Reads each block of a backup once, verifies it, and writes it where it belongs.

    Bytes of the sink beyond the size of the backup are left as they are.
    """

    def __init__(
        self,
        backup: BackupReader,
        sink: Sink,
        *,
        write_zeros: bool,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read or written yet.

        :param write_zeros: False only where the sink is known to read as zeros.
        :raises ContainerMissing: a container of the chain was not handed in.
        :raises SinkTooSmall: the sink is smaller than the backup.
        """
        backup.require_all()
        if sink.size < backup.commit.source_size:
            raise SinkTooSmall(backup.commit.source_size, sink.size)
        settings = settings or Settings()
        super().__init__(
            _Stages(backup, sink, settings, write_zeros, None), settings, settings.restore_rate
        )


class VerifyJob(Job[RestoreReport]):
    """Reads and verifies the blocks of a backup without writing them anywhere.

    :ivar sample: which of them.
    """

    def __init__(
        self,
        backup: BackupReader,
        *,
        share: float = 1.0,
        seed: int = 0,
        settings: Settings | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :param share: of the blocks that are not zero, which of them by ``seed``; see
            :class:`datera_backup.engine.sample.Sample`.
        :raises ContainerMissing: a container of the chain was not handed in.
        :raises ValueError: ``share`` is out of its bounds.
        """
        statistics = backup.commit.statistics
        self.sample = sample = Sample(
            share, statistics.new_blocks + statistics.inherited_blocks, seed
        )
        backup.require_all()
        settings = settings or Settings()
        chosen = None if share == 1 else lambda _place: sample.draw()
        sink = NullSink(backup.commit.source_size)
        super().__init__(
            _Stages(backup, sink, settings, False, chosen), settings, settings.restore_rate
        )


@dataclass
class Batch:
    """Blocks that lie one after the other in one container, or a run of zeros.

    :param length: bytes of the source.
    :param plain: what came out: ranges of the source, verified.
    """

    length: int
    zeros_at: int | None = None
    run: Run | None = None
    data: memoryview | None = None
    buffer: memoryview | None = None
    plain: list[tuple[int, list[Buffer]]] = field(default_factory=list)


class _Stages:
    def __init__(
        self,
        backup: BackupReader,
        sink: Sink,
        settings: Settings,
        write_zeros: bool,
        chosen: Callable[[int], bool] | None,
    ) -> None:
        self._backup = backup
        self._commit = backup.commit
        self._sink = sink
        self._write_zeros = write_zeros
        self._chosen = chosen
        block_size = backup.commit.geometry.block_size
        self._batch_blocks = max(1, settings.batch_size // block_size)
        self._batch_size = self._batch_blocks * block_size
        self._buffers = Buffers(self._batch_size)
        self._done = self._blocks = self._zero_bytes = self._written = self._stored = 0

    def produce(self) -> Iterator[Step[Batch]]:
        geometry, size = self._commit.geometry, self._commit.source_size
        for number in range(geometry.chunks(size)):
            start = number * geometry.chunk_size
            chunk = self._backup.chunk(number)
            if chunk is None:
                yield from self._zeros(start, min(start + geometry.chunk_size, size))
                continue
            for first, end in zero_runs(chunk.codecs):
                yield from self._zeros(
                    start + first * geometry.block_size,
                    min(start + end * geometry.block_size, size),
                )
            for run in runs(chunk, self._batch_blocks, self._batch_size, self._chosen):
                batch = self._read(run, start)
                yield Step(batch, needs_work=True, moves=batch.length)

    def _zeros(self, start: int, end: int) -> Iterator[Step[Batch]]:
        if not self._write_zeros:
            yield Step(Batch(end - start, zeros_at=start))
            return
        # In parts that are written soon enough for a cancellation to be noticed.
        for part in range(start, end, _MOST_ZEROS):
            length = min(_MOST_ZEROS, end - part)
            yield Step(Batch(length, zeros_at=part), moves=length)

    def _read(self, run: Run, chunk_start: int) -> Batch:
        buffer = self._buffers.take()
        data = buffer[: run.length]
        try:
            self._backup.devices[run.container].pread(run.offset, data)
        except LayoutDamaged as exc:
            raise LayoutDamaged(
                f"Container {run.container} ends before blocks of backup "
                f"{self._commit.backup_id}: {exc}"
            ) from exc
        first = chunk_start // self._commit.geometry.block_size
        length = sum(
            self._commit.geometry.length_of(self._commit.source_size, first + place)
            for place in run.places
        )
        return Batch(length, run=run, data=data, buffer=buffer)

    def worker(self) -> Callable[[Batch], None]:
        verifier = Verifier(self._commit)
        block_size = self._commit.geometry.block_size

        def work(batch: Batch) -> None:
            run, data = batch.run, batch.data
            if run is None or data is None:
                return
            at, expected = 0, -1
            for place in run.places:
                length = run.chunk.length(place)
                plain = verifier.plain(run, place, at, data[at : at + length])
                if place != expected:
                    offset = verifier.block_number(run, place) * block_size
                    batch.plain.append((offset, []))
                batch.plain[-1][1].append(plain)
                at += length
                expected = place + 1

        return work

    def consume(self, batch: Batch) -> None:
        if batch.zeros_at is not None:
            self._zero_bytes += batch.length
            if self._write_zeros:
                self._sink.zero(batch.zeros_at, batch.length)
                self._written += batch.length
        for offset, buffers in batch.plain:
            self._sink.write(offset, buffers)
            self._written += sum(map(len, buffers))
        if batch.run is not None:
            self._blocks += len(batch.run.places)
            self._stored += batch.run.length
        if batch.buffer is not None:
            batch.plain = []
            self._buffers.give(batch.buffer)
        self._done += batch.length

    def finish(self) -> RestoreReport:
        self._sink.flush()
        return RestoreReport(
            blocks=self._blocks,
            zero_bytes=self._zero_bytes,
            bytes_written=self._written,
            stored_bytes=self._stored,
        )

    def progress(self) -> Progress:
        return Progress(self._done, self._commit.source_size, self._stored)
