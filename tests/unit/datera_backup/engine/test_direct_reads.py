# SPDX-License-Identifier: Apache-2.0
"""A block device is read past the page cache, whatever of it can be; all else as ever."""

from __future__ import annotations

import ctypes
import mmap
import os
import posix
import random
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from backup_dispatch.calls.progress import WatchedFile
from backup_dispatch.calls.stall import Clock, Operation, Sight
from datera_backup.container import FileDevice
from datera_backup.engine import (
    BackupJob,
    FileSource,
    SourceTruncated,
    open_source,
    past_the_cache,
)
from datera_backup.engine import source as source_module
from datera_backup.engine.pipeline.buffers import Buffers
from tests.fixtures.containers.moving import (
    FEW,
    BytesSource,
    new_container,
    restore,
    some_bytes,
    writer_for,
)

SIZE = 1 << 20
DATA = random.Random(1).randbytes(SIZE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "volume"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def device(file: Path) -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("only root can make loop devices")
    made = subprocess.run(
        ["losetup", "--find", "--show", str(file)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no loop device is to be had: {made.stderr.strip()}")
    name = made.stdout.strip()
    yield name
    subprocess.run(["losetup", "--detach", name], check=True)


def cached(path: str) -> int:
    """Return how many bytes of the device the page cache has."""
    pages = (ctypes.c_ubyte * (SIZE // mmap.PAGESIZE))()
    with open(path, "rb") as opened, mmap.mmap(opened.fileno(), SIZE, mmap.MAP_PRIVATE) as mapped:
        first = ctypes.c_char.from_buffer(mapped)
        try:
            address = ctypes.c_void_p(ctypes.addressof(first))
            assert ctypes.CDLL(None).mincore(address, ctypes.c_size_t(SIZE), pages) == 0
        finally:
            del first
    return sum(page & 1 for page in pages) * mmap.PAGESIZE


def descriptors_of(path: str | Path) -> int:
    """Return how many descriptors of a path this process has open."""
    return [os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")].count(
        str(path)
    )


def test_buffers_begin_where_a_page_does() -> None:
    buffer = Buffers(SIZE, 1).take()
    assert len(buffer) == SIZE
    assert ctypes.addressof(ctypes.c_char.from_buffer(buffer)) % mmap.PAGESIZE == 0


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, SIZE), (65536, 131072), (65536 + 7, 4096), (4096, 1000), (SIZE - 100, 100)],
)
def test_a_device_gives_the_same_bytes_directly(device: str, offset: int, length: int) -> None:
    buffer = Buffers(SIZE, 1).take()[:length]
    with open(device, "rb", buffering=0) as opened:
        source = FileSource(opened)
        with source.directly():
            source.readinto(offset, buffer)
    assert bytes(buffer) == DATA[offset : offset + length]


def test_what_is_read_of_a_device_does_not_stay_in_the_cache(device: str) -> None:
    with open(device, "rb", buffering=0) as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before = cached(device)
        source = FileSource(opened)
        with past_the_cache(source):
            source.readinto(0, Buffers(SIZE, 1).take())
            assert cached(device) <= before
            # This has to go through the cache: nothing is aligned.
            source.readinto(7, memoryview(bytearray(SIZE - 7))[1:])
            assert cached(device) <= before + SIZE // 4


def test_blocks_of_a_container_do_not_stay_in_the_cache(device: str) -> None:
    # By its descriptor, as the driver has it.
    with open(device, "rb", buffering=0) as opened:
        container = FileDevice(opened.fileno())
        container.forget()
        before = cached(device)
        for offset in range(0, SIZE, SIZE // 4):
            container.pread(offset, memoryview(bytearray(SIZE // 4)))
        assert cached(device) < before + SIZE // 2


def test_a_device_is_open_a_second_time_only_while_it_is_read(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    preadv, opened_during_reads = os.preadv, []

    def read(*given: Any) -> int:
        opened_during_reads.append(descriptors_of(device))
        return preadv(*given)

    monkeypatch.setattr(os, "preadv", read)
    with open(device, "rb", buffering=0) as opened:
        source = FileSource(opened)
        with source.directly():
            for _ in range(2):
                source.readinto(0, Buffers(SIZE, 1).take())
                assert descriptors_of(device) == 1
    assert opened_during_reads == [2, 2]


def test_a_device_withdrawn_from_an_abandoned_operation_is_let_go_of(device: str) -> None:
    operation = Operation("backup b", "datera", Sight.ALL, Clock())
    buffer = Buffers(SIZE, 1).take()
    with open(device, "rb", buffering=0) as opened:
        file = WatchedFile(opened, operation)
        source = open_source(cast("BinaryIO", file))
        block = past_the_cache(source)
        block.__enter__()
        source.readinto(0, buffer)
        operation.abandon()
    # Cinder has closed its file, and detaches the device; the late thread is still in the block.
    assert descriptors_of(device) == 0
    buffer[:] = bytes(SIZE)
    with pytest.raises(SourceTruncated):
        source.readinto(0, buffer)
    assert bytes(buffer) == bytes(SIZE)
    block.__exit__(None, None, None)
    file.release()


def test_a_read_that_outlives_the_block_ends_as_it_began(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_bytes(bytes(SIZE))
    preadv, begun, left = os.preadv, threading.Event(), threading.Event()
    buffer = Buffers(SIZE, 1).take()

    def read(*given: Any) -> int:
        begun.set()
        assert left.wait(60)
        return preadv(*given)

    with open(device, "rb", buffering=0) as opened, ThreadPoolExecutor(1) as threads:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        before = cached(device)
        source = FileSource(opened)
        monkeypatch.setattr(os, "preadv", read)
        with past_the_cache(source):
            end = threads.submit(source.readinto, 0, buffer)
            assert begun.wait(60)
        # What is opened now must not get the number of a descriptor that is still read with.
        with other.open("rb"):
            left.set()
            end.result(60)
        assert cached(device) <= before
    same = bytes(buffer) == DATA  # pytest's account of a million differences takes minutes
    assert same


def test_a_thread_that_reads_directly_gets_no_hub_of_eventlet(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eventlet import hubs
    from eventlet.green import os as green_os

    hub_made: list[bool] = []

    def read() -> None:
        source.readinto(0, Buffers(SIZE, 1).take())
        hub_made.append(hasattr(hubs._threadlocal, "hub"))

    with open(device, "rb", buffering=0) as opened:
        source = FileSource(opened)
        monkeypatch.setattr(os, "open", green_os.open)
        with source.directly():
            reader = threading.Thread(target=read)
            reader.start()
            reader.join(60)
    assert hub_made == [False]


def test_a_device_that_cannot_be_opened_again_is_read_as_ever(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    buffer = Buffers(SIZE, 1).take()
    with open(device, "rb", buffering=0) as opened:
        source = FileSource(opened)
        monkeypatch.setattr(posix, "open", refuse)
        with source.directly():
            source.readinto(0, buffer)
    assert bytes(buffer) == DATA


def test_a_file_is_read_through_the_cache(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise AssertionError("opened again")

    monkeypatch.setattr(posix, "open", refuse)
    with file.open("rb") as opened:
        source = FileSource(opened)
        with source.directly():
            buffer = memoryview(bytearray(SIZE))
            source.readinto(0, buffer)
    assert bytes(buffer) == DATA


def test_a_file_that_shrank_says_so_directly_too(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "is_device", lambda _: True)
    with file.open("rb") as opened:
        source = FileSource(opened)
        os.truncate(file, SIZE // 2)
        with source.directly(), pytest.raises(SourceTruncated):
            source.readinto(0, Buffers(SIZE, 1).take())


def test_a_source_that_is_no_file_is_left_alone() -> None:
    data = some_bytes(1, 100_000)
    container = new_container(1)
    source = BytesSource(data)
    with past_the_cache(source):
        job = BackupJob(source, writer_for(container, 1, len(data)), FEW)
        job.start()
        job.result()
    assert restore(container, 1) == data


def test_backup_of_a_device_is_what_is_on_it(device: str) -> None:
    container = new_container(1)
    with open(device, "rb", buffering=0) as opened:
        source = FileSource(opened)
        with past_the_cache(source):
            job = BackupJob(source, writer_for(container, 1, SIZE), FEW)
            job.start()
            job.result()
    assert restore(container, 1) == DATA
