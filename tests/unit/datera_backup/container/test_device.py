# SPDX-License-Identifier: Apache-2.0
"""Files and block devices below a container."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from datera_backup.container import ContainerError, FileDevice, LayoutDamaged


def test_file_device_reads_and_writes(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(bytes(100))
    with FileDevice(path) as device:
        device.pwrite(10, b"abc")
        device.flush()
        buffer = bytearray(5)
        device.pread(9, memoryview(buffer))
        assert bytes(buffer) == b"\0abc\0"
        with pytest.raises(LayoutDamaged, match="ends at byte 100"):
            device.pread(98, memoryview(buffer))
        with path.open("r+b") as file:
            file.truncate(200)
        assert device.size == 200
    device.close()
    assert path.read_bytes()[10:13] == b"abc"


@pytest.mark.parametrize("most", [1, 7, 4096])
def test_partial_writes_are_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    rng = random.Random(most)
    buffers = [rng.randbytes(rng.choice((0, 1, 5, 9))) for _ in range(2500)]
    pwrite = os.pwrite

    def take(descriptor: int, vector: list[memoryview], offset: int) -> int:
        assert 0 < len(vector) <= 1024
        return pwrite(descriptor, b"".join(vector)[:most], offset)

    monkeypatch.setattr(os, "pwritev", take)
    path = tmp_path / "device"
    path.write_bytes(bytes(20))
    with FileDevice(path) as device:
        device.pwrite(10, *buffers)
    assert path.read_bytes() == bytes(10) + b"".join(buffers)


def test_a_device_that_takes_no_bytes_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([2, 0])  # a third call has no answer, and ends the test
    monkeypatch.setattr(os, "pwritev", lambda *_arguments: next(answers))
    path = tmp_path / "device"
    path.write_bytes(bytes(20))
    with FileDevice(path) as device, pytest.raises(ContainerError, match="takes no more"):
        device.pwrite(10, b"0123")


@pytest.mark.parametrize(
    ("call", "act"),
    [
        ("pwritev", lambda device: device.pwrite(10, b"0123")),
        ("fdatasync", lambda device: device.flush()),
    ],
)
def test_an_error_of_the_device_is_one_of_the_containers_and_of_the_systems(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    act: Callable[[FileDevice], None],
) -> None:
    def fail(*_arguments: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, fail)
    path = tmp_path / "device"
    path.write_bytes(bytes(20))
    with FileDevice(path) as device, pytest.raises(ContainerError, match="error") as told:
        act(device)
    assert isinstance(told.value, OSError)


def test_descriptor_of_the_caller_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(b"0123")
    with path.open("rb") as file:
        FileDevice(file.fileno()).close()
        assert file.read() == b"0123"
    with FileDevice(path, writable=False) as device, pytest.raises(OSError, match="descriptor"):
        device.pwrite(0, b"x")
