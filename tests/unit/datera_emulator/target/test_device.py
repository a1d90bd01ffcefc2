# SPDX-License-Identifier: Apache-2.0
"""A volume's file object behaves like a block device."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from datera_emulator.target.device import VolumeDevice

SIZE = 8192


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "data"
    file.write_bytes(b"x" * SIZE)
    return file


def test_opening_a_device_keeps_its_data(path: Path) -> None:
    with VolumeDevice(str(path), SIZE) as device:
        assert device.read(4) == b"xxxx"
        device.seek(2)
        assert device.write(b"abc") == 3
        assert device.tell() == 5
    assert path.read_bytes() == b"xxabc" + b"x" * (SIZE - 5)


def test_reading_past_the_end_gives_nothing(path: Path) -> None:
    with VolumeDevice(str(path), SIZE) as device:
        device.seek(SIZE - 2)
        assert device.read(100) == b"xx"
        assert device.read(100) == b""
        assert device.seek(-1, os.SEEK_END) == SIZE - 1
        device.seek(SIZE + 10)
        assert device.read(1) == b""


def test_writing_past_the_end_is_refused_and_never_enlarges(path: Path) -> None:
    with VolumeDevice(str(path), SIZE) as device:
        device.seek(SIZE - 2)
        with pytest.raises(OSError, match="space") as caught:
            device.write(b"abcd")
        assert caught.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="space"):
            device.write(b"z")
        assert device.write(b"") == 0
        with pytest.raises(OSError, match="Invalid"):
            device.truncate(0)
    assert path.read_bytes()[-2:] == b"ab"
    assert path.stat().st_size == SIZE


def test_a_truncated_data_file_reads_as_zeros(path: Path) -> None:
    os.truncate(path, 10)
    with VolumeDevice(str(path), SIZE) as device:
        assert device.read(20) == b"x" * 10 + bytes(10)
        device.seek(SIZE - 4)
        assert device.read() == bytes(4)


def test_access_without_a_session_fails_with_eio(path: Path) -> None:
    alive = True
    device = VolumeDevice(str(path), SIZE, lambda: alive)
    device.write(b"a")
    alive = False
    for access in (lambda: device.write(b"b"), lambda: device.read(1)):
        with pytest.raises(OSError, match="Input/output"):
            access()
    device.close()
    device.close()
    with pytest.raises(ValueError, match="closed"):
        device.read(1)
    with pytest.raises(ValueError, match="closed"):
        device.fileno()
