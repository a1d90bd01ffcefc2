# SPDX-License-Identifier: Apache-2.0
"""FUSE is told all bytes or an error, each finding once, and no holes before they are known."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from backup_dispatch.drivers.readers.missing import Missing, joined
from backup_dispatch.jobs.mounting import FILE, VolumeFilesystem
from backup_dispatch.jobs.mounting import filesystem as filesystem_module

SIZE = 10_000
CONTENT = bytes(range(250)) * 40
PATH = f"/{FILE}"


class Data:
    """A volume with a damaged range, whose backend may stop answering."""

    size = SIZE

    def __init__(self) -> None:
        self.bad: list[Missing] = []
        self.error: Exception | None = None
        self.counted = threading.Event()

    def extents(self) -> Iterator[tuple[int, int]]:
        yield 0, 512
        self.counted.wait()
        yield 1024, 1024

    def read_into(self, offset: int, buffer: memoryview) -> Sequence[Missing]:
        if self.error:
            raise self.error
        end = offset + len(buffer)
        buffer[:] = CONTENT[offset:end]
        return [one for one in self.bad if one.offset < end and offset < one.offset + one.length]

    def close(self) -> None:
        pass


@pytest.fixture
def data() -> Data:
    return Data()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def filesystem(data: Data, told: list[str]) -> Iterator[VolumeFilesystem]:
    made = datetime(2026, 11, 24, 3, 4, 5, tzinfo=timezone.utc)
    one = VolumeFilesystem(data, made, told.append)
    yield one
    data.counted.set()
    one.close()


def errno_of(filesystem: VolumeFilesystem, *read: Any) -> int | None:
    with pytest.raises(OSError, match="error") as caught:
        filesystem.read(PATH, *read)
    return caught.value.errno


def test_reads_give_all_bytes_up_to_the_end(filesystem: VolumeFilesystem) -> None:
    assert filesystem.read(PATH, 100, 50, 0) == CONTENT[50:150]
    assert filesystem.read(PATH, 100, SIZE - 30, 0) == CONTENT[-30:]
    assert filesystem.read(PATH, 100, SIZE, 0) == b""
    assert filesystem.read(PATH, 100, SIZE + 5, 0) == b""
    assert filesystem.read_bytes == 130


def test_damage_is_an_error_and_is_told_once(
    filesystem: VolumeFilesystem, data: Data, told: list[str]
) -> None:
    data.bad = [Missing(100, 50, "it is broken"), Missing(300, 10, "this too")]
    for _ in range(3):
        assert errno_of(filesystem, 400, 0, 0) == errno.EIO
    assert filesystem.read(PATH, 100, 150, 0) == CONTENT[150:250]
    assert (
        told
        == filesystem.damage
        == [
            "Bytes 100 to 150 are damaged: it is broken",
            "Bytes 300 to 310 are damaged: this too",
        ]
    )
    assert filesystem.unknown == []


def test_silent_backend_is_an_error_and_no_damage(
    filesystem: VolumeFilesystem, data: Data, told: list[str]
) -> None:
    data.error = TimeoutError("no answer")
    for _ in range(3):
        assert errno_of(filesystem, 400, 0, 0) == errno.EIO
    assert told == filesystem.unknown == ["TimeoutError: no answer"]
    data.error = None
    assert filesystem.read(PATH, 10, 0, 0) == CONTENT[:10]
    assert filesystem.damage == []


def test_file_has_no_holes_before_they_are_known(filesystem: VolumeFilesystem, data: Data) -> None:
    whole = -(-SIZE // 512)
    assert filesystem.getattr(PATH)["st_blocks"] == whole
    filesystem.init("/")
    assert filesystem.getattr(PATH)["st_blocks"] == whole
    data.counted.set()
    filesystem._counter.join()
    assert filesystem.getattr(PATH)["st_blocks"] == 3


def test_closing_leaves_a_silent_backend_behind(
    filesystem: VolumeFilesystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filesystem_module, "CLOSING_SECONDS", 0.0)
    filesystem.init("/")
    filesystem.close()
    assert filesystem._counter.is_alive()


def test_closing_ends_the_counting(filesystem: VolumeFilesystem, data: Data) -> None:
    filesystem.init("/")
    filesystem._closing.set()
    data.counted.set()
    filesystem.close()
    assert filesystem.getattr(PATH)["st_blocks"] == -(-SIZE // 512)


def test_nothing_else_is_there_and_nothing_can_be_written(filesystem: VolumeFilesystem) -> None:
    assert filesystem.readdir("/", 0) == [".", "..", FILE]
    assert filesystem.open(PATH, os.O_RDONLY) == 0
    for call, error in (
        (lambda: filesystem.open(PATH, os.O_RDWR), errno.EROFS),
        (lambda: filesystem.open("/other", os.O_RDONLY), errno.ENOENT),
        (lambda: filesystem.getattr("/other"), errno.ENOENT),
    ):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number says it
            call()
        assert caught.value.errno == error


def test_neighbours_with_one_reason_are_one_finding() -> None:
    assert joined(
        [Missing(0, 5, "a"), Missing(5, 5, "a"), Missing(10, 5, "b"), Missing(20, 5, "b")]
    ) == [Missing(0, 10, "a"), Missing(10, 5, "b"), Missing(20, 5, "b")]
