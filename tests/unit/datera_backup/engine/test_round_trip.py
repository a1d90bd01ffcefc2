# SPDX-License-Identifier: Apache-2.0
"""What is backed up comes back, whatever its size and whatever it inherits."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from datera_backup.container import (
    BackupReader,
    Codec,
    Container,
    FileDevice,
    Geometry,
    GeometryMismatch,
    NewBackup,
)
from datera_backup.container.format.geometry import COPY_DISTANCE
from datera_backup.engine import BackupJob, EngineSettings, VerifyJob, open_sink, open_source
from datera_backup.engine.restore import RestoreJob
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    SMALL,
    BytesSource,
    MemorySink,
    back_up,
    changed,
    identifier,
    new_container,
    reopened,
    restore,
    restore_onto,
    some_bytes,
    writer_for,
)

SIZES = [0, 1, 511, BLOCK - 1, BLOCK, BLOCK + 1, 8 * BLOCK, 8 * BLOCK + 5, 40 * BLOCK + 100]


@pytest.mark.parametrize("size", SIZES)
def test_full_backup_of_any_size_is_restored(size: int) -> None:
    container = new_container(1)
    data = some_bytes(size, size)
    back_up(container, 1, data)
    assert restore(reopened(container), 1) == data


@pytest.mark.parametrize("size", [1, 8 * BLOCK, 20 * BLOCK + 7])
def test_all_zero_stores_nothing(size: int) -> None:
    container = new_container(1)
    reader = back_up(container, 1, bytes(size))
    assert restore(container, 1) == bytes(size)
    assert reader.commit.root is None
    assert reader.commit.statistics.stored_bytes == 0


@pytest.mark.parametrize("codec", [Codec.RAW, Codec.ZSTD, Codec.LZ4, Codec.ZLIB])
def test_backup_with_every_codec_is_restored(codec: Codec) -> None:
    container = new_container(1)
    data = some_bytes(3, 20 * BLOCK)
    reader = back_up(container, 1, data, settings=EngineSettings(codec=codec, batch_size=BLOCK))
    assert restore(container, 1) == data
    if codec is not Codec.RAW:
        assert reader.commit.statistics.stored_bytes < reader.commit.statistics.new_bytes


def test_zeros_are_left_out_on_a_new_volume() -> None:
    container = new_container(1)
    data = bytes(3 * BLOCK) + some_bytes(5, 9 * BLOCK) + bytes(20 * BLOCK)
    reader = back_up(container, 1, data)
    sink = MemorySink(len(data), b"\0")
    report = restore_onto(reader, sink, zeros=False)
    assert bytes(sink.content) == data
    assert report.bytes_written == len(data) - report.zero_bytes
    assert all(any(written) for _, written in sink.written)


def test_sink_beyond_the_backup_is_not_written() -> None:
    container = new_container(1)
    data = some_bytes(6, 9 * BLOCK + 17)
    reader = back_up(container, 1, data)
    sink = MemorySink(len(data) + 3 * BLOCK)
    restore_onto(reader, sink)
    assert bytes(sink.content) == data + b"\xee" * 3 * BLOCK


def test_each_block_is_read_and_written_once() -> None:
    container = new_container(1)
    first = some_bytes(7, 30 * BLOCK)
    parent = back_up(container, 1, first)
    second = changed(first, 8, 9)
    reader = back_up(container, 2, second, parent)
    sink = MemorySink(len(second))
    report = restore_onto(reader, sink)
    assert sum(len(data) for _, data in sink.written) == len(second) == report.bytes_written
    chunks = [reader.chunk(number) for number in range(SMALL.chunks(len(second)))]
    assert report.stored_bytes == sum(sum(chunk.lengths) for chunk in chunks if chunk)


def test_verifying_a_share_reads_just_that_share() -> None:
    container = new_container(1)
    reader = back_up(container, 1, random.Random(1).randbytes(400 * BLOCK))
    counts = []
    for share in (0.0001, 0.25, 1.0):
        job = VerifyJob(reader, share=share, seed=3, settings=FEW)
        job.start()
        counts.append(job.result().blocks)
    assert counts == [1, 100, 400]
    with pytest.raises(ValueError, match="share of 0 is not"):
        VerifyJob(reader, share=0)


def test_progress_reaches_the_total() -> None:
    container = new_container(1)
    data = some_bytes(9, 30 * BLOCK + 9)
    reader = back_up(container, 1, data)
    job = RestoreJob(reader, MemorySink(len(data)), write_zeros=False, settings=FEW)
    job.start()
    job.result()
    assert (job.progress.done, job.progress.total) == (len(data), len(data))
    assert job.progress.stored == reader.commit.statistics.stored_bytes


def test_sparse_file_is_backed_up_and_restored_with_defaults(tmp_path: Path) -> None:
    """The default geometry and settings, through descriptors, holes in the source."""
    data = random.Random(2).randbytes(3 << 20)
    image, device, out = tmp_path / "image", tmp_path / "device", tmp_path / "out"
    with image.open("wb") as file:
        file.seek(5 << 20)
        file.write(data)
        file.truncate((20 << 20) + 1)
    with device.open("wb") as file:
        file.truncate(64 << 20)
    with FileDevice(device) as opened, image.open("rb") as source, out.open("wb+") as target:
        container = Container.format(opened, identifier(1))
        new = NewBackup(identifier(1), "a volume", (20 << 20) + 1)
        job = BackupJob(open_source(source), container.begin(new, living=()))
        job.start()
        assert job.result().statistics.new_bytes == len(data)
        reader_of = Container.open(opened, identifier(1))
        sink = open_sink(target, size=(20 << 20) + 1)
        restoring = RestoreJob(BackupReader(reader_of, identifier(1)), sink, write_zeros=False)
        restoring.start()
        restoring.result()
    assert out.read_bytes() == image.read_bytes()


@pytest.mark.parametrize("seed", range(30))
def test_chains_over_containers_with_branches(seed: int) -> None:
    """Incrementals of any parent, in any container, of volumes that grow and shrink."""
    rng = random.Random(seed)
    containers = [new_container(100 + number) for number in range(3)]
    made: list[tuple[bytes, BackupReader]] = []
    for number in range(rng.randint(2, 7)):
        data, parent = some_bytes(rng.randrange(99), rng.randrange(1, 30 * BLOCK)), None
        if made and rng.random() < 0.8:
            old, parent = rng.choice(made)
            size = len(old) if rng.random() < 0.6 else len(data)
            data = (changed(old, rng.randrange(99), rng.randrange(3)) + data)[:size]
        reader = back_up(rng.choice(containers), number, data, parent)
        made.append((data, reader))
    for data, reader in made:
        commit = reader.commit
        home = next(c for c in containers if c.id == commit.container_id)
        number = commit.metadata["number"]
        assert restore(reopened(home), number, containers) == data


def test_blocks_that_moved_nowhere_are_stored_once() -> None:
    container = new_container(1)
    data = random.Random(4).randbytes(64 * BLOCK)
    parent = back_up(container, 1, data)
    before = container.tail
    same = back_up(container, 2, data, parent)
    assert same.commit.statistics.new_blocks == 0
    # Nothing but the commit, twice: the page and the manifests are the parent's.
    assert container.tail - before == COPY_DISTANCE + BLOCK
    assert same.commit.root == parent.commit.root
    new = bytearray(data)
    new[10 * BLOCK : 12 * BLOCK] = random.Random(5).randbytes(2 * BLOCK)
    reader = back_up(container, 3, bytes(new), same)
    assert reader.commit.statistics.new_blocks == 2
    assert reader.commit.statistics.inherited_manifests == 7
    assert restore(container, 3) == bytes(new)


def test_an_unchanged_chunk_in_another_container_has_a_manifest_there() -> None:
    first, second = new_container(1), new_container(2)
    data = random.Random(4).randbytes(20 * BLOCK)
    parent = back_up(first, 1, data)
    reader = back_up(second, 2, data, parent)
    assert reader.commit.statistics.inherited_blocks == 20
    assert reader.commit.containers == (second.id, first.id)
    assert restore(second, 2, [first]) == data
    third = new_container(3)
    back_up(third, 3, changed(data, 5), reader)
    assert restore(third, 3, [second, first]) == changed(data, 5)


def test_a_container_that_no_block_is_left_of_is_not_needed() -> None:
    first, second = new_container(1), new_container(2)
    parent = back_up(first, 1, random.Random(4).randbytes(9 * BLOCK))
    data = random.Random(5).randbytes(9 * BLOCK)
    reader = back_up(second, 2, data, parent)
    assert reader.commit.containers == (second.id,)
    assert restore(second, 2) == data


def test_batches_smaller_than_a_block() -> None:
    container = new_container(1)
    data = some_bytes(11, 5 * BLOCK)
    back_up(container, 1, data, settings=EngineSettings(workers=1, depth=1, batch_size=1))
    assert restore(container, 1) == data


def test_geometry_is_the_parents() -> None:
    container = new_container(1)
    parent = back_up(container, 1, some_bytes(1, BLOCK))
    new = NewBackup(identifier(2), "a volume", BLOCK, Geometry(8192, 8192 * 8))
    with pytest.raises(GeometryMismatch, match="8192"):
        container.begin(new, living=container.committed, parent=parent)
    assert reopened(container).entries == container.entries
    with pytest.raises(ValueError, match="bytes"):
        BackupJob(BytesSource(bytes(7)), writer_for(container, 2, BLOCK, parent))
