# SPDX-License-Identifier: Apache-2.0
"""What is read is read once, in the order in which it lies, and in small steps."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from datera_backup.container import BackupReader, Container, Geometry, NewBackup
from datera_backup.engine import BackupJob, EngineSettings, RestoreJob
from tests.fixtures.containers.devices import Buffer, Content, MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    BytesSource,
    MemorySink,
    SparseSource,
    back_up,
    changed,
    identifier,
    new_container,
    some_bytes,
    writer_for,
)

MIB = 1 << 20


class Noting(MemoryDevice):
    """Knows where it was read."""

    def __init__(self, content: Content, reads: list[tuple[str, int, int]], name: str) -> None:
        super().__init__(content=content)
        self._reads = reads
        self._name = name

    def pread(self, offset: int, buffer: memoryview) -> None:
        self._reads.append((self._name, offset, len(buffer)))
        super().pread(offset, buffer)


def noting(container: Container, reads: list[tuple[str, int, int]], name: str) -> Container:
    assert isinstance(container.device, MemoryDevice)
    return Container.open(Noting(container.device.content, reads, name), container.id)


def test_a_parents_manifest_is_read_once_however_many_holes_its_chunk_has() -> None:
    rng = random.Random(1)
    block = Geometry().block_size
    places = range(0, 40 * block, 2 * block)
    source = SparseSource(40 * block, {at: rng.randbytes(BLOCK) for at in places})
    container = Container.format(MemoryDevice(32 * MIB), identifier(1))
    full = BackupJob(source, container.begin(NewBackup(identifier(1), "v", source.size), living=()))
    full.start()
    full.result()
    reads: list[tuple[str, int, int]] = []
    again = noting(container, reads, "device")
    parent = BackupReader(again, identifier(1))
    new = NewBackup(identifier(2), "v", source.size)
    writer = again.begin(new, living=[identifier(1)], parent=parent)
    manifest = parent.manifest_ref(0)
    assert manifest is not None
    reads.clear()
    job = BackupJob(source, writer)
    job.start()
    statistics = job.result().statistics
    assert (statistics.new_blocks, statistics.inherited_manifests) == (0, 1)
    assert [offset for _, offset, _ in reads].count(manifest.offset) == 1


def test_a_parents_manifests_are_read_once_where_all_blocks_have_changed() -> None:
    container = new_container(1)
    data = some_bytes(1, 40 * BLOCK)
    back_up(container, 1, data)
    reads: list[tuple[str, int, int]] = []
    again = noting(container, reads, "device")
    parent = BackupReader(again, identifier(1))
    refs = [parent.manifest_ref(number) for number in range(parent.chunk_count)]
    job = BackupJob(
        BytesSource(changed(data, 2, 400)), writer_for(again, 2, len(data), parent), FEW
    )
    job.start()
    assert job.result().statistics.inherited_manifests == 0
    offsets = [offset for _, offset, _ in reads]
    assert [offsets.count(ref.offset) for ref in refs if ref is not None] == [1] * len(refs)


def test_the_containers_of_a_chain_are_read_one_after_the_other_each_block_once() -> None:
    first, second = new_container(1), new_container(2)
    data = some_bytes(1, 8 * BLOCK)
    newer = changed(data, 2, 4)
    parent = back_up(first, 1, data)
    back_up(second, 2, newer, parent)
    reads: list[tuple[str, int, int]] = []
    home, other = noting(second, reads, "second"), noting(first, reads, "first")
    reader = BackupReader(home, identifier(2), [other])
    chunk = BackupReader(second, identifier(2)).chunk(0)
    assert chunk is not None
    assert len(set(chunk.indices)) == 2, "blocks of both"
    reads.clear()
    sink = MemorySink(len(newer))
    job = RestoreJob(reader, sink, write_zeros=True, settings=replace(FEW, requests=1))
    job.start()
    job.result()
    assert bytes(sink.content) == newer
    reads.remove(("second", chunk.ref.offset, chunk.ref.length))
    assert sum(length for _, _, length in reads) == sum(chunk.lengths)
    order = [("second", "first").index(name) for name, _, _ in reads]
    assert order == sorted(order)
    for name in ("first", "second"):
        offsets = [offset for where, offset, _ in reads if where == name]
        assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("write_zeros", [True, False])
def test_zeros_are_written_in_steps_that_a_cancellation_need_not_wait_for(
    write_zeros: bool,
) -> None:
    class Steps(MemorySink):
        def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
            raise AssertionError("there is nothing but zeros")

        def zero(self, offset: int, length: int) -> None:
            ranges.append((offset, length))

    size = 100 * MIB + 5
    ranges: list[tuple[int, int]] = []
    container = new_container(1)
    writer = container.begin(NewBackup(identifier(1), "v", size), living=())
    job = BackupJob(SparseSource(size, {}), writer, settings=FEW)
    job.start()
    job.result()
    sink = Steps(0)
    sink.size = size
    restoring = RestoreJob(
        BackupReader(container, identifier(1)), sink, write_zeros=write_zeros, settings=FEW
    )
    restoring.start()
    assert restoring.result().zero_bytes == size
    assert sum(length for _, length in ranges) == (size if write_zeros else 0)
    assert all(length <= 16 * MIB for _, length in ranges)


def test_negative_rates_are_refused() -> None:
    for wrong in ({"backup_rate": -1}, {"restore_rate": -1}):
        with pytest.raises(ValueError, match="negative"):
            EngineSettings(**wrong)  # type: ignore[arg-type]
