# SPDX-License-Identifier: Apache-2.0
"""Room that is given back to a file, and to one that cannot take it."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path

import pytest

from datera_backup.container import FileDevice, discarding, notices
from tests.fixtures.containers.full_file import FULL, UNIT, allocated, full_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return full_file(tmp_path / "device")


def fails(monkeypatch: pytest.MonkeyPatch, number: int) -> list[int]:
    asked: list[int] = []

    def fallocate(_descriptor: int, _mode: int, offset: int, _length: int) -> int:
        asked.append(offset)
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(discarding._LIBC, "fallocate", fallocate)
    return asked


def test_whole_units_become_a_hole_and_no_other_byte_changes(path: Path) -> None:
    before = allocated(path)
    with FileDevice(path) as device:
        assert device.discard(UNIT - 1, 9 * UNIT + 2)
        device.flush()
    assert path.read_bytes() == FULL[:UNIT] + bytes(9 * UNIT) + FULL[10 * UNIT :]
    assert allocated(path) == before - 9 * UNIT


def test_less_than_a_unit_stays_as_it_is(path: Path) -> None:
    with FileDevice(path) as device:
        assert device.discard(1, UNIT)
        assert device.discard(UNIT, UNIT - 1)
    assert path.read_bytes() == FULL


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EREMOTEIO])
def test_a_device_that_cannot_is_asked_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    notices.told()
    asked = fails(monkeypatch, number)
    with FileDevice(path) as device:
        assert [device.discard(0, UNIT), device.discard(UNIT, UNIT)] == [False, False]
    assert asked == [0]
    assert len(notices.told()) == (number == errno.EREMOTEIO)
    assert path.read_bytes() == FULL
