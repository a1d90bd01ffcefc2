# SPDX-License-Identifier: Apache-2.0
"""The stages of a restore: read runs of blocks, verify them, write them where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from datera_backup.container import (
    MIB,
    BackupReader,
    BlockDamaged,
    BytesAbsent,
    ChunkMap,
    LayoutDamaged,
    ManifestDamaged,
)
from datera_backup.container.device import Buffer, Device, read_into
from datera_backup.container.format.manifest import zero_runs
from datera_backup.container.tree import Stretch
from datera_backup.engine.pipeline.ahead import read_ahead
from datera_backup.engine.pipeline.buffers import Buffers, is_worth_keeping
from datera_backup.engine.pipeline.job import Progress, Step
from datera_backup.engine.pipeline.requests import Requests
from datera_backup.engine.pipeline.threads import unpatched_threading
from datera_backup.engine.pipeline.writes import Writes
from datera_backup.engine.plan import Run, parts, runs
from datera_backup.engine.restore.batch import Batch, Damage, OnDamage
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.sink import NullSink, Sink
from datera_backup.engine.verifier import Verifier

_MOST_ZEROS = 16 * MIB
"""Bytes of zeros that are under way at once in large ranges: a cancelled job waits for these."""

_ZEROS_AT_ONCE = 4 * MIB
"""Bytes that are zeroed in one call: a whole object of Ceph's, which is freed."""


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


class RestoreStages:
    """Of one job: a restore, or a verification, which has no sink."""

    def __init__(
        self,
        backup: BackupReader,
        settings: EngineSettings,
        requests: Requests,
        sink: Sink | None = None,
        write_zeros: bool = False,
        *,
        chosen: Callable[[int], bool] | None = None,
        on_damage: OnDamage | None = None,
    ) -> None:
        self._backup = backup
        self._commit = backup.commit
        self._requests = requests
        self._settings = settings
        # What is only verified goes nowhere, so that nobody has to be asked for it.
        self._sink = NullSink(backup.commit.source_size) if sink is None else sink
        most_zeros = min(settings.requests, _MOST_ZEROS // _ZEROS_AT_ONCE)
        self._writes = Writes(requests, 0 if sink is None else settings.batch_writes)
        self._large_zeros = Writes(requests, 0 if sink is None else most_zeros)
        self._write_zeros = write_zeros
        self._chosen = chosen
        self._on_damage = on_damage
        self._verifier = Verifier(backup.commit)
        self._buffers = Buffers(settings.batch_size, settings.batches)
        self._counting = unpatched_threading().Lock()
        self._done = self._blocks = self._zero_bytes = self._written = self._stored = 0

    def produce(self) -> Iterator[Step[Batch]]:
        """Go through the backup by its manifests, which are read ahead."""
        geometry, size = self._commit.geometry, self._commit.source_size
        most, ahead = self._settings.batch_size, self._settings.requests
        stretches = read_ahead(self._requests, self._backup.stretches(), self._chunk_of, ahead)
        for stretch, read in stretches:
            chunk = stretch.error if read is None else read
            start = stretch.first * geometry.chunk_size
            stop = min(start + stretch.count * geometry.chunk_size, size)
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
            for run in runs(chunk, most // geometry.block_size, most, self._chosen):
                batch = Batch(self._length_of(run), run=run)
                yield Step(batch, needs_fetch=True, needs_work=True, moves=batch.length)

    def _chunk_of(self, stretch: Stretch) -> Callable[[], ChunkMap | ManifestDamaged] | None:
        """Return what reads a chunk's manifest; None where there is none, or none that is known."""
        if stretch.ref is None:
            return None
        ref, number = stretch.ref, stretch.first

        def read() -> ChunkMap | ManifestDamaged:
            try:
                return self._backup.chunk_at(ref, number)
            except ManifestDamaged as exc:
                return exc

        return read

    def _lost(self, damage: Damage) -> Batch:
        """Return what stands for blocks that do not come back, or end the job."""
        if self._on_damage is None:
            raise damage.error
        return Batch(damage.length, lost=damage)

    def _zeros(self, start: int, end: int) -> Iterator[Step[Batch]]:
        if not self._write_zeros:
            yield Step(Batch(end - start, zeros_at=start))
            return
        for at, until in parts(start, end, _MOST_ZEROS):
            yield Step(Batch(until - at, zeros_at=at), moves=until - at)

    def fetch(self, batch: Batch) -> None:
        """Read a run of blocks; one by one where they cannot be read together."""
        run = batch.run
        if run is None:
            return
        batch.buffer = self._buffers.take()
        batch.data = batch.buffer[: run.length]
        try:
            read_into(self._device(run.container), run.offset, batch.data)
        except LayoutDamaged as exc:
            self._fetch_each(batch, run, batch.data, exc)

    def _fetch_each(self, batch: Batch, run: Run, data: memoryview, failure: LayoutDamaged) -> None:
        """Read again block by block what cannot be read together."""
        for place, at, length in run.blocks():
            try:
                if len(run.places) == 1:
                    raise failure
                read_into(self._device(run.container), run.offset + at, data[at : at + length])
            except LayoutDamaged as exc:
                self._lose(batch, run, place, self._verifier.unread(run, place, at, exc))

    def _lose(self, batch: Batch, run: Run, place: int, error: BlockDamaged) -> None:
        """Take note of a block that does not come back, or end the job."""
        if self._on_damage is None:
            raise error
        damage = Damage(error.source_offset, self._length(run, place), error)
        batch.damage[place] = damage

    def _device(self, container_id: UUID) -> Device:
        device = self._backup.devices.get(container_id)
        if device is None:
            raise BytesAbsent("the container is not there")
        return device

    def _length_of(self, run: Run) -> int:
        """Bytes of the source that the run's blocks have; only the source's last may be short."""
        last = max(run.places)
        whole = (len(run.places) - 1) * self._commit.geometry.block_size
        return whole + self._length(run, last)

    def _length(self, run: Run, place: int) -> int:
        block = self._verifier.block_number(run, place)
        return self._commit.geometry.length_of(self._commit.source_size, block)

    def worker(self) -> Callable[[Batch], None]:
        """Return what decompresses and verifies the blocks of a batch."""
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
                    raise verifier.unread(run, place, at, exc) from exc
                return verifier.plain(run, place, at, fresh)

        def work(batch: Batch) -> None:
            run, data = batch.run, batch.data
            if run is None or data is None:
                return
            expected, together, lent = -1, list[Buffer](), 0
            for place, at, length in run.blocks():
                if place in batch.damage:
                    continue
                try:
                    plain = plain_of(run, place, at, data[at : at + length])
                except BlockDamaged as exc:
                    self._lose(batch, run, place, exc)
                    continue
                if place != expected:
                    together = []
                    batch.plain.append((verifier.block_number(run, place) * block_size, together))
                together.append(plain)
                lent += length if type(plain) is memoryview else 0
                expected = place + 1
            if batch.buffer is not None and not is_worth_keeping(batch.buffer, lent):
                if lent:
                    batch.copy()
                buffer, batch.buffer, batch.data = batch.buffer, None, None
                self._buffers.give(buffer)

        return work

    def consume(self, batch: Batch) -> None:
        """Tell of a batch's damage, and begin to write the rest of it."""
        if self._on_damage is not None:
            for damage in (batch.lost, *batch.damage.values()):
                if damage is not None:
                    self._on_damage(damage)
        if batch.zeros_at is not None and self._write_zeros:
            writes = self._large_zeros if batch.length > MIB else self._writes
            writes.put(partial(self._zero, batch, batch.zeros_at))
        elif batch.plain:
            # Side by side, too: scattered changes are many ranges of one batch.
            batch.unwritten = len(batch.plain)
            for offset, buffers in batch.plain:
                self._writes.put(partial(self._write, batch, offset, buffers))
        else:
            self._end(batch)

    def _zero(self, batch: Batch, start: int) -> None:
        for at, until in parts(start, start + batch.length, _ZEROS_AT_ONCE):
            self._requests.check()
            self._sink.zero(at, until - at)
        self._end(batch, batch.length)

    def _write(self, batch: Batch, offset: int, buffers: list[Buffer]) -> None:
        self._sink.write(offset, buffers)
        with self._counting:
            self._written += sum(map(len, buffers))
            batch.unwritten -= 1
            last = not batch.unwritten
        if last:
            self._end(batch)

    def _end(self, batch: Batch, written: int = 0) -> None:
        """Count a batch, in the thread that wrote it: the consumer may wait for something else."""
        with self._counting:
            self._written += written
            if batch.zeros_at is not None:
                self._zero_bytes += batch.length
            if batch.run is not None:
                self._blocks += len(batch.run.places) - len(batch.damage)
                self._stored += batch.run.length
            self._done += batch.length
        if batch.buffer is not None:
            batch.plain = []
            self._buffers.give(batch.buffer)

    def finish(self) -> RestoreReport:
        """Make durable what was written."""
        self._sink.flush()
        return RestoreReport(
            blocks=self._blocks,
            zero_bytes=self._zero_bytes,
            bytes_written=self._written,
            stored_bytes=self._stored,
        )

    def progress(self) -> Progress:
        """Return how much was written, or verified."""
        return Progress(self._done, self._commit.source_size, self._stored)
