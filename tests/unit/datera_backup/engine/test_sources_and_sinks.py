# SPDX-License-Identifier: Apache-2.0
"""Files, holes, objects without a descriptor, short ones, and a volume of a tebibyte."""

from __future__ import annotations

import io
import os
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datera_backup.container import BackupReader, Codec, Container, NewBackup
from datera_backup.engine import (
    BackupJob,
    EngineSettings,
    FileSink,
    FileSource,
    ObjectSink,
    ObjectSource,
    RestoreJob,
    SourceTruncated,
    open_sink,
    open_source,
)
from datera_backup.engine.backup import data_blocks
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import BLOCK, MemorySink, SparseSource, identifier, some_bytes

MIB = 1 << 20


class WithoutDescriptor(io.BytesIO):
    """Like the wrapper of a Ceph image: short reads, short writes, no descriptor."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size if size is None or size < 0 else min(size, 1000))

    def write(self, data: Any) -> int:
        return super().write(bytes(data[:1000]))

    def fileno(self) -> int:
        raise OSError("fileno() not supported")


def read_all(source: FileSource | ObjectSource, size: int) -> bytes:
    buffer = bytearray(size)
    source.readinto(0, memoryview(buffer))
    return bytes(buffer)


def test_sources_read_the_bytes_of_files_and_objects(tmp_path: Path) -> None:
    data = some_bytes(1, 5 * BLOCK + 7)
    path = tmp_path / "volume"
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(9)
        source = open_source(file)
        assert isinstance(source, FileSource)
        assert (source.size, file.tell()) == (len(data), 9)
        assert read_all(source, len(data)) == data
    wrapped = open_source(WithoutDescriptor(data))
    assert isinstance(wrapped, ObjectSource)
    assert wrapped.size == len(data)
    assert read_all(wrapped, len(data)) == data
    assert list(wrapped.extents()) == [(0, len(data))]


def test_source_that_ends_early_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    path.write_bytes(bytes(100))
    with path.open("rb") as file:
        source = FileSource(file.fileno(), size=150)
        with pytest.raises(SourceTruncated, match="150 bytes, but it ends at byte 100"):
            read_all(source, 150)
        # A hole and what lies beyond the end look the same to SEEK_DATA.
        with pytest.raises(SourceTruncated):
            list(source.extents())
    with pytest.raises(SourceTruncated, match="byte 100"):
        read_all(ObjectSource(WithoutDescriptor(bytes(100)), size=150), 150)


def test_holes_of_a_file_are_no_extents(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    with path.open("wb") as file:
        file.seek(4 * MIB)
        file.write(b"x" * MIB)
        file.seek(9 * MIB)
        file.write(b"y")
        file.truncate(20 * MIB)
    with path.open("rb") as file:
        extents = list(FileSource(file).extents())
    inside = [any(start <= at < end for start, end in extents) for at in (4 * MIB, 9 * MIB)]
    assert all(inside)
    if sum(end - start for start, end in extents) == 20 * MIB:
        pytest.skip("this filesystem does not tell where its holes are")
    assert not any(start <= 15 * MIB < end for start, end in extents)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)), max_size=8), st.integers(1, 500)
)
def test_extents_are_rounded_to_whole_blocks(gaps: list[tuple[int, int]], size: int) -> None:
    extents, at = [], 0
    for gap, length in gaps:
        start, end = min(at + gap, size), min(at + gap + length, size)
        extents.append((start, end))
        at = end
    touched = {byte // 16 for start, end in extents for byte in range(start, end)}
    ranges = list(data_blocks(iter(extents), 16, size))
    assert {block for first, end in ranges for block in range(first, end)} == touched
    assert all(first < end for first, end in ranges)
    assert all(end < first for (_, end), (first, _) in pairwise(ranges))


@pytest.mark.parametrize("buffers", [1, 3, 1500])
def test_sinks_write_at_the_given_offsets(tmp_path: Path, buffers: int) -> None:
    parts = [random.Random(n).randbytes(1 + n % 300) for n in range(buffers)]
    data = b"".join(parts)
    size = len(data) + 100
    path = tmp_path / "volume"
    path.write_bytes(b"\xee" * size)
    wrapped = WithoutDescriptor(b"\xee" * size)
    with path.open("rb+", buffering=0) as file:
        for sink in (open_sink(file), open_sink(wrapped)):
            assert sink.size == size
            sink.write(10, parts)
            sink.zero(0, 10)
            sink.flush()
    expected = bytes(10) + data + b"\xee" * 90
    assert path.read_bytes() == expected
    assert wrapped.getvalue() == expected


def test_open_sink_prefers_a_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    with path.open("wb") as file:
        sink = open_sink(file, size=5 * BLOCK)
        assert isinstance(sink, FileSink)
        # As Cinder opens it a regular file was truncated: it becomes as long as the volume.
        assert sink.size == 5 * BLOCK == os.fstat(file.fileno()).st_size
        assert FileSink(file, size=BLOCK).size == 5 * BLOCK
    assert isinstance(open_sink(WithoutDescriptor(b"1234")), ObjectSink)


def test_long_runs_of_zeros_are_written(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    path.write_bytes(b"\xee" * (3 * MIB + 9))
    wrapped = WithoutDescriptor(b"\xee" * (3 * MIB + 9))
    with path.open("rb+") as file:
        for sink in (FileSink(file), ObjectSink(wrapped)):
            sink.zero(5, 3 * MIB)
    expected = b"\xee" * 5 + bytes(3 * MIB) + b"\xee" * 4
    assert path.read_bytes() == expected
    assert wrapped.getvalue() == expected


def test_a_sparse_tebibyte() -> None:
    """Its cost is that of the bytes that are there."""
    size = 1 << 40
    rng = random.Random(6)
    ranges = {rng.randrange(size >> 16) << 16: rng.randbytes(65536) for _ in range(40)}
    ranges[size - 65536] = rng.randbytes(65536)
    source = SparseSource(size, ranges)
    container = Container.format(MemoryDevice(64 * MIB), identifier(1))
    job = BackupJob(source, container.begin(NewBackup(identifier(1), "v", size), living=()))
    job.start()
    statistics = job.result().statistics
    assert statistics.new_blocks == len(ranges)
    assert statistics.zero_blocks == (size >> 16) - len(ranges)
    assert container.tail < 24 * MIB

    class SparseSink(MemorySink):
        def write(self, offset: int, buffers: Any) -> None:
            self.written.append((offset, b"".join(buffers)))

    sink = SparseSink(0)
    sink.size = size
    reader = BackupReader(container, identifier(1))
    restoring = RestoreJob(reader, sink, write_zeros=False)
    restoring.start()
    restoring.result()
    assert dict(sink.written) == ranges
    # An incremental of it reads and stores what changed.
    at = next(iter(source.ranges))
    source.ranges[at] = rng.randbytes(65536)
    new = NewBackup(identifier(2), "v", size)
    again = BackupJob(source, container.begin(new, living=[identifier(1)], parent=reader))
    again.start()
    statistics = again.result().statistics
    assert (statistics.new_blocks, statistics.inherited_blocks) == (1, len(ranges) - 1)


def test_invalid_engine_settings_are_refused() -> None:
    for wrong in ({"workers": -1}, {"depth": -1}, {"batch_size": 0}):
        with pytest.raises(ValueError, match="negative"):
            EngineSettings(**wrong)  # type: ignore[arg-type]
    assert EngineSettings().worker_count >= 1
    with pytest.raises(ValueError, match="one request"):
        EngineSettings(requests=0)
    assert EngineSettings(workers=3, requests=5).batches == 11
    large = EngineSettings(workers=3, requests=5).for_blocks(4 << 20)
    assert (large.batch_size, large.batches, large.batch_writes) == (4 << 20, 2, 1)
    assert EngineSettings(depth=1).for_blocks(4 << 20).batches == 1
    assert EngineSettings(requests=5).for_blocks(65536).batch_writes == 5
    assert EngineSettings().codec is Codec.ZSTD
