# SPDX-License-Identifier: Apache-2.0
"""Zeros of a file or a device: freed where that can be done, written where it cannot."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from datera_backup.container import discarding
from datera_backup.engine import FileSink
from tests.fixtures.containers.full_file import FULL, SIZE, UNIT, allocated, full_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return full_file(tmp_path / "volume")


def zero(path: Path, *ranges: tuple[int, int]) -> None:
    with path.open("r+b", buffering=0) as file:
        sink = FileSink(file)
        for offset, length in ranges:
            sink.zero(offset, length)
        sink.flush()


def cannot_punch(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    asked: list[int] = []

    def fallocate(_descriptor: int, _mode: int, offset: int, _length: int) -> int:
        asked.append(offset)
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(discarding._LIBC, "fallocate", fallocate)
    return asked


def test_zeros_free_whole_units_and_change_no_other_byte(path: Path) -> None:
    before = allocated(path)
    zero(path, (UNIT - 7, 9 * UNIT + 10), (20 * UNIT + 1, UNIT - 2), (SIZE, 0))
    expected = bytearray(FULL)
    expected[UNIT - 7 : 10 * UNIT + 3] = bytes(9 * UNIT + 10)
    expected[20 * UNIT + 1 : 21 * UNIT - 1] = bytes(UNIT - 2)
    assert path.read_bytes() == expected
    assert allocated(path) == before - 9 * UNIT


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EREMOTEIO, errno.EINVAL])
def test_zeros_are_written_where_they_cannot_be_freed(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    asked = cannot_punch(monkeypatch, number)
    before = allocated(path)
    zero(path, (UNIT - 7, 9 * UNIT + 10), (30 * UNIT, UNIT))
    assert (
        path.read_bytes()
        == (FULL[: UNIT - 7] + bytes(9 * UNIT + 10) + FULL[10 * UNIT + 3 : 30 * UNIT])
        + bytes(UNIT)
        + FULL[31 * UNIT :]
    )
    assert asked == [UNIT], "a device that cannot is asked once"
    assert allocated(path) == before


def test_holes_get_no_zeros(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cannot_punch(monkeypatch, errno.EOPNOTSUPP)
    os.truncate(path, 1024 * UNIT)
    before = allocated(path)
    zero(path, (2 * UNIT, 1022 * UNIT))
    assert path.read_bytes() == FULL[: 2 * UNIT] + bytes(1022 * UNIT)
    assert allocated(path) == before


def test_a_file_that_does_not_report_holes_gets_its_zeros(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seek = os.lseek

    def cannot_tell(descriptor: int, offset: int, what: int) -> int:
        if what in (os.SEEK_DATA, os.SEEK_HOLE):
            raise OSError(errno.EINVAL, "no holes here")
        return seek(descriptor, offset, what)

    monkeypatch.setattr(os, "lseek", cannot_tell)
    zero(path, (5, SIZE - 10))
    assert path.read_bytes() == b"x" * 5 + bytes(SIZE - 10) + b"x" * 5


def test_freed_space_can_be_written_again(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        sink = FileSink(file)
        sink.zero(0, SIZE)
        sink.write(3, [b"again"])
        sink.zero(5 * UNIT, UNIT)
        sink.flush()
    assert path.read_bytes() == b"\0\0\0again" + bytes(SIZE - 8)
