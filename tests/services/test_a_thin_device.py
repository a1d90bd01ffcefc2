# SPDX-License-Identifier: Apache-2.0
"""Zeros of a block device whose kernel can free them: a loop device on a sparse file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from datera_backup.engine import FileSink

MIB = 2**20
SIZE = 16 * MIB

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists("/dev/loop-control"),
    reason="this user may not make loop devices",
)


def command(*words: object) -> str:
    told = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True)
    return told.stdout.strip()


@pytest.fixture
def backing(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(b"x" * SIZE)
    return path


@pytest.fixture
def device(backing: Path) -> Iterator[str]:
    path = command("/sbin/losetup", "--find", "--show", backing)
    try:
        yield path
    finally:
        command("/sbin/losetup", "--detach", path)


def test_zeros_of_a_device_are_freed_and_its_other_bytes_stay(backing: Path, device: str) -> None:
    before = backing.stat().st_blocks * 512
    # As Cinder opens it.
    with open(device, "wb") as file:
        sink = FileSink(file)
        sink.zero(MIB + 512, 8 * MIB)
        sink.write(2 * MIB, [b"again"])
        sink.zero(12 * MIB, MIB)
        sink.flush()
    expected = bytearray(b"x" * SIZE)
    expected[MIB + 512 : 9 * MIB + 512] = bytes(8 * MIB)
    expected[2 * MIB : 2 * MIB + 5] = b"again"
    expected[12 * MIB : 13 * MIB] = bytes(MIB)
    assert backing.read_bytes() == expected
    assert Path(device).read_bytes() == expected
    assert before - backing.stat().st_blocks * 512 >= 8 * MIB
