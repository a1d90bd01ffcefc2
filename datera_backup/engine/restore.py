# SPDX-License-Identifier: Apache-2.0
"""Getting a backup back, or only finding out whether that would go well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from uuid import UUID

from datera_backup.container import (
    Absent,
    BackupReader,
    BlockDamaged,
    ChunkMap,
    LayoutDamaged,
    ManifestDamaged,
)
from datera_backup.container.device import Buffer, Device, read_into
from datera_backup.container.format.manifest import zero_runs
from datera_backup.container.tree import Stretch
from datera_backup.engine.buffers import Buffers
from datera_backup.engine.errors import SinkTooSmall
from datera_backup.engine.job import Job, Progress, Step
from datera_backup.engine.plan import Run, runs
from datera_backup.engine.sample import Sample
from datera_backup.engine.settings import Settings
from datera_backup.engine.sink import NullSink, Sink
from datera_backup.engine.verifier import Verifier

_MOST_ZEROS = 16 << 20


@dataclass(frozen=True)
class Damage:
    """Blocks that do not come back.

    :param offset: of the first of their bytes in the source.
    :param length: bytes of the source.
    :param error: what was found; a damaged manifest takes all blocks of its chunk with it.
    """

    offset: int
    length: int
    error: BlockDamaged | ManifestDamaged


OnDamage = Callable[[Damage], None]
"""Called for each damage, in no order, by one thread at a time; what it raises ends the job."""


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
        on_damage: OnDamage | None = None,
    ) -> None:
        """Prepare; nothing is read or written yet.

        :param write_zeros: False only where the sink is known to read as zeros.
        :param on_damage: without it the first damage ends the job; with it, what is damaged is left
            out of the sink.
        :raises ContainerMissing: a container of the chain was not handed in, and nobody is told of
            damage.
        :raises SinkTooSmall: the sink is smaller than the backup.
        """
        if on_damage is None:
            backup.require_all()
        if sink.size < backup.commit.source_size:
            raise SinkTooSmall(backup.commit.source_size, sink.size)
        settings = settings or Settings()
        super().__init__(
            _Stages(backup, sink, settings, write_zeros, on_damage=on_damage),
            settings,
            settings.restore_rate,
        )


class VerifyJob(Job[RestoreReport]):
    """Reads and verifies the blocks of a backup without writing them anywhere.

    One that looks at all of them looks at both copies of the metadata, so that
    ``Container.repair`` knows afterwards what to mend.

    :ivar sample: which of them.
    """

    def __init__(
        self,
        backup: BackupReader,
        *,
        share: float = 1.0,
        seed: int = 0,
        settings: Settings | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        :param share: of the blocks that are not zero, which of them by ``seed``; see
            :class:`datera_backup.engine.sample.Sample`.
        :param on_damage: without it the first damage ends the job.
        :raises CommitDamaged: the commit record is damaged by now, and its copy.
        :raises ContainerMissing: a container of the chain was not handed in.
        :raises ValueError: ``share`` is out of its bounds.
        """
        statistics = backup.commit.statistics
        self.sample = sample = Sample(
            share, statistics.new_blocks + statistics.inherited_blocks, seed
        )
        backup.require_all()
        if share == 1:
            backup.look_at_copies()
        settings = settings or Settings()
        chosen = None if share == 1 else lambda _place: sample.draw()
        sink = NullSink(backup.commit.source_size)
        super().__init__(
            _Stages(backup, sink, settings, False, chosen=chosen, on_damage=on_damage),
            settings,
            settings.restore_rate,
        )


@dataclass
class Batch:
    """Blocks that lie one after the other in one container, or a run of zeros.

    :param length: bytes of the source.
    :param plain: what came out: ranges of the source, verified.
    :param damage: what did not come out.
    """

    length: int
    zeros_at: int | None = None
    run: Run | None = None
    data: memoryview | None = None
    buffer: memoryview | None = None
    plain: list[tuple[int, list[Buffer]]] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)


class _Stages:
    def __init__(
        self,
        backup: BackupReader,
        sink: Sink,
        settings: Settings,
        write_zeros: bool,
        *,
        chosen: Callable[[int], bool] | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        self._backup = backup
        self._commit = backup.commit
        self._sink = sink
        self._write_zeros = write_zeros
        self._chosen = chosen
        self._on_damage = on_damage
        self._verifier = Verifier(backup.commit)
        block_size = backup.commit.geometry.block_size
        self._batch_blocks = max(1, settings.batch_size // block_size)
        self._batch_size = self._batch_blocks * block_size
        self._buffers = Buffers(self._batch_size)
        self._done = self._blocks = self._zero_bytes = self._written = self._stored = 0

    def produce(self) -> Iterator[Step[Batch]]:
        geometry, size = self._commit.geometry, self._commit.source_size
        for stretch in self._backup.stretches():
            start = stretch.first * geometry.chunk_size
            stop = min(start + stretch.count * geometry.chunk_size, size)
            chunk = self._chunk(stretch)
            if isinstance(chunk, ManifestDamaged):
                yield Step(self._lost(Damage(start, stop - start, chunk)))
                continue
            if chunk is None:
                yield from self._zeros(start, stop)
                continue
            for first, end in zero_runs(chunk.codecs):
                yield from self._zeros(
                    start + first * geometry.block_size,
                    min(start + end * geometry.block_size, size),
                )
            for run in runs(chunk, self._batch_blocks, self._batch_size, self._chosen):
                yield from self._read(run)

    def _chunk(self, stretch: Stretch) -> ChunkMap | ManifestDamaged | None:
        """Return what is known of one chunk, or of several that are zero or lost."""
        if stretch.ref is None:
            return stretch.error
        try:
            return self._backup.chunk(stretch.first)
        except ManifestDamaged as exc:
            return exc

    def _lost(self, damage: Damage) -> Batch:
        """Return what stands for blocks that do not come back, or end the job."""
        if self._on_damage is None:
            raise damage.error
        return Batch(damage.length, damage=[damage])

    def _zeros(self, start: int, end: int) -> Iterator[Step[Batch]]:
        if not self._write_zeros:
            yield Step(Batch(end - start, zeros_at=start))
            return
        # In parts that are written soon enough for a cancellation to be noticed.
        for part in range(start, end, _MOST_ZEROS):
            length = min(_MOST_ZEROS, end - part)
            yield Step(Batch(length, zeros_at=part), moves=length)

    def _read(self, run: Run) -> Iterator[Step[Batch]]:
        buffer = self._buffers.take()
        data = buffer[: run.length]
        try:
            read_into(self._device(run.container), run.offset, data)
        except LayoutDamaged as exc:
            self._buffers.give(buffer)
            if len(run.places) > 1:
                for place, at in _places_in(run):
                    yield from self._read(_part(run, place, at))
                return
            (place,) = run.places
            error = unread(self._verifier, run, place, 0, exc)
            yield Step(self._lost(self._damage(run, place, error)))
            return
        length = sum(self._length(run, place) for place in run.places)
        yield Step(Batch(length, run=run, data=data, buffer=buffer), needs_work=True, moves=length)

    def _device(self, container_id: UUID) -> Device:
        device = self._backup.devices.get(container_id)
        if device is None:
            raise Absent("the container is not there")
        return device

    def _length(self, run: Run, place: int) -> int:
        block = self._verifier.block_number(run, place)
        return self._commit.geometry.length_of(self._commit.source_size, block)

    def _damage(self, run: Run, place: int, error: BlockDamaged) -> Damage:
        return Damage(error.source_offset, self._length(run, place), error)

    def worker(self) -> Callable[[Batch], None]:
        verifier = Verifier(self._commit)
        block_size = self._commit.geometry.block_size

        def plain_of(run: Run, place: int, at: int, stored: memoryview) -> Buffer:
            try:
                return verifier.plain(run, place, at, stored)
            except BlockDamaged:
                # It may be what this host had cached before another one wrote there.
                device = self._backup.devices[run.container]
                device.forget(run.offset + at, len(stored))
                fresh = memoryview(bytearray(len(stored)))
                try:
                    read_into(device, run.offset + at, fresh)
                except LayoutDamaged as exc:
                    raise unread(verifier, run, place, at, exc) from exc
                return verifier.plain(run, place, at, fresh)

        def work(batch: Batch) -> None:
            run, data = batch.run, batch.data
            if run is None or data is None:
                return
            expected = -1
            for place, at in _places_in(run):
                length = run.chunk.length(place)
                try:
                    plain = plain_of(run, place, at, data[at : at + length])
                except BlockDamaged as exc:
                    if self._on_damage is None:
                        raise
                    batch.damage.append(self._damage(run, place, exc))
                    continue
                if place != expected:
                    offset = verifier.block_number(run, place) * block_size
                    batch.plain.append((offset, []))
                batch.plain[-1][1].append(plain)
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
        if self._on_damage is not None:
            for damage in batch.damage:
                self._on_damage(damage)
        if batch.run is not None:
            self._blocks += len(batch.run.places) - len(batch.damage)
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


def unread(verifier: Verifier, run: Run, place: int, at: int, error: LayoutDamaged) -> BlockDamaged:
    """Return the error that names a block which cannot be read."""
    return verifier.damaged(run, place, at, error.finding, str(error).rstrip("."))


def _places_in(run: Run) -> Iterator[tuple[int, int]]:
    """Yield each block of a run, and where in it its stored bytes begin."""
    at = 0
    for place in run.places:
        yield place, at
        at += run.chunk.length(place)


def _part(run: Run, place: int, at: int) -> Run:
    return replace(run, offset=run.offset + at, length=run.chunk.length(place), places=(place,))
