# SPDX-License-Identifier: Apache-2.0
"""Where a volume cannot be read or written is said, whatever its file raises."""

from __future__ import annotations

import ctypes
import errno
import io
import mmap
import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from datera_backup.container import BackupReader
from datera_backup.engine import (
    BackupJob,
    FileSink,
    FileSource,
    ObjectSink,
    ObjectSource,
    RestoreJob,
    SinkNotDurable,
    SinkUnwritable,
    SourceUnreadable,
)
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    back_up,
    identifier,
    new_container,
    reopened,
    some_bytes,
    writer_for,
)

DATA = some_bytes(1, 24 * BLOCK + 5)
PAGES = 64
PAGE = mmap.PAGESIZE


class CephError(Exception):
    """As librbd's are: no OSError."""


class BadImage(io.BytesIO):
    """A file object of librbd's kind, of which one place cannot be reached."""

    def __init__(self, data: bytes, bad: int) -> None:
        super().__init__(data)
        self.bad = bad

    def read(self, size: int | None = -1) -> bytes:
        # No more at once than a Ceph object, as if they were this small.
        size = BLOCK if size is None or size < 0 else min(size, BLOCK)
        if self.tell() <= self.bad < self.tell() + size:
            raise CephError("error reading image")
        return super().read(size)

    def write(self, data: Any) -> int:
        if self.tell() <= self.bad < self.tell() + len(data):
            raise CephError("error writing image")
        return super().write(data)

    def flush(self) -> None:
        raise CephError("error flushing image")

    def fileno(self) -> int:
        raise OSError("fileno() not supported")


@pytest.fixture
def memory() -> Iterator[tuple[FileSource, int]]:
    """This process's memory as a volume, and where pages begin of which one is not there."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = libc.mmap(None, PAGES * PAGE, mmap.PROT_READ, flags, -1, 0)
    libc.munmap(start + 10 * PAGE, PAGE)
    with open("/proc/self/mem", "rb", buffering=0) as file:
        yield FileSource(file, size=1 << 48), start
    libc.munmap(start, PAGES * PAGE)


def test_the_kernels_read_error_has_the_page_that_it_comes_from(
    memory: tuple[FileSource, int],
) -> None:
    source, start = memory
    with pytest.raises(SourceUnreadable, match="Input/output error") as told:
        source.readinto(start, memoryview(bytearray(PAGES * PAGE)))
    assert told.value.offset == start + 10 * PAGE
    assert isinstance(told.value.__cause__, OSError)
    assert told.value.finding.startswith(f"cannot be read at byte {start + 10 * PAGE}: ")


@pytest.mark.parametrize("bad", [0, 1, 4095, 4096, 5 * BLOCK, 20 * BLOCK + 77, 24 * BLOCK + 4])
@pytest.mark.parametrize("first", [0, 512])
def test_a_read_that_fails_as_a_whole_is_narrowed_down_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int, first: int
) -> None:
    calls, real = [], os.preadv

    def preadv(fd: int, buffers: Sequence[memoryview], offset: int) -> int:
        calls.append(offset)
        if offset <= bad < offset + len(buffers[0]):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(fd, list(buffers), offset)

    path = tmp_path / "volume"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        source = FileSource(file)
        monkeypatch.setattr(os, "preadv", preadv)
        buffer = memoryview(bytearray(len(DATA) - first))
        if bad < first:
            source.readinto(first, buffer)
            return
        with pytest.raises(SourceUnreadable) as told:
            source.readinto(first, buffer)
    assert told.value.offset == max(first, bad // 4096 * 4096)
    assert len(calls) <= 8


def test_a_device_that_is_gone_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def preadv(_fd: int, _buffers: Sequence[memoryview], offset: int) -> int:
        calls.append(offset)
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    path = tmp_path / "volume"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        source = FileSource(file)
        monkeypatch.setattr(os, "preadv", preadv)
        with pytest.raises(SourceUnreadable, match=r"byte 4096: .*No such device"):
            source.readinto(BLOCK, memoryview(bytearray(BLOCK)))
    assert len(calls) == 1


def test_an_objects_own_error_has_the_place_of_the_read_that_failed() -> None:
    source = ObjectSource(BadImage(DATA, 5 * BLOCK + 9))
    with pytest.raises(SourceUnreadable, match="CephError: error reading image") as told:
        source.readinto(BLOCK, memoryview(bytearray(8 * BLOCK)))
    assert told.value.offset == 5 * BLOCK
    assert isinstance(told.value.__cause__, CephError)


def test_an_object_that_cannot_tell_its_size_is_unreadable() -> None:
    class Sizeless(BadImage):
        def seek(self, offset: int, whence: int = 0) -> int:
            raise CephError("error getting info")

    with pytest.raises(SourceUnreadable, match="at byte 0: CephError: error getting info"):
        ObjectSource(Sizeless(DATA, 0))


def test_a_backup_of_a_volume_with_a_bad_place_ends_with_it_and_commits_nothing() -> None:
    container = new_container(1)
    source = ObjectSource(BadImage(DATA, 5 * BLOCK + 9))
    job = BackupJob(source, writer_for(container, 1, len(DATA)), settings=FEW)
    job.start()
    with pytest.raises(SourceUnreadable) as told:
        job.result()
    assert told.value.offset == 5 * BLOCK
    assert reopened(container).committed == ()


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """Have the kernel refuse what this process writes behind some byte of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_kernels_write_error_has_the_block_that_it_comes_from(tmp_path: Path) -> None:
    with (tmp_path / "volume").open("wb", buffering=0) as file:
        sink = FileSink(file)
        with (
            files_end_at(7 * BLOCK + 100),
            pytest.raises(SinkUnwritable, match="File too large") as told,
        ):
            sink.write(2 * BLOCK, [b"x" * BLOCK] * 9)
    assert told.value.offset == 7 * BLOCK
    assert told.value.finding.startswith(f"cannot be written at byte {7 * BLOCK}: ")


def test_zeros_that_cannot_be_written_have_their_place() -> None:
    with (
        open("/dev/full", "r+b", buffering=0) as file,
        pytest.raises(SinkUnwritable, match=r"at byte 4096: .*No space left"),
    ):
        FileSink(file).zero(BLOCK, 3 << 20)
    image = ObjectSink(BadImage(bytes(4 << 20), 2 << 20))
    with pytest.raises(SinkUnwritable, match=f"at byte {2 << 20}: CephError: error writing"):
        image.zero(0, 4 << 20)


def test_an_object_that_cannot_be_written_has_the_place_of_the_write_that_failed() -> None:
    sink = ObjectSink(BadImage(bytes(len(DATA)), 5 * BLOCK + 9))
    with pytest.raises(SinkUnwritable, match=f"at byte {5 * BLOCK}: CephError: error writing"):
        sink.write(2 * BLOCK, [b"x" * BLOCK] * 9)


def test_a_volume_that_does_not_keep_what_it_took_is_an_error() -> None:
    with (
        open("/dev/full", "r+b", buffering=0) as file,
        pytest.raises(SinkNotDurable, match=r"cannot be flushed.*Invalid argument"),
    ):
        FileSink(file).flush()
    with pytest.raises(SinkNotDurable, match="CephError: error flushing image"):
        ObjectSink(BadImage(DATA, 0)).flush()


def test_a_restore_onto_a_bad_place_ends_with_it() -> None:
    container = new_container(1)
    back_up(container, 1, b"x" * len(DATA))
    image = BadImage(bytes(len(DATA)), 5 * BLOCK + 9)
    reader = BackupReader(reopened(container), identifier(1))
    job = RestoreJob(reader, ObjectSink(image), write_zeros=True, settings=FEW)
    job.start()
    with pytest.raises(SinkUnwritable) as told:
        job.result()
    assert told.value.offset == 5 * BLOCK
