# SPDX-License-Identifier: Apache-2.0
"""What a driver restores into a scratch file is there, and zeros stay holes."""

from __future__ import annotations

import errno
import os
import random
import tempfile
from collections.abc import Iterator

import pytest

from backup_dispatch.drivers.readers.scratch import SparseFile

SIZE = 4 << 20
PIECE = 1 << 16


@pytest.fixture
def descriptor() -> Iterator[int]:
    with tempfile.TemporaryFile(buffering=0) as file:
        file.truncate(SIZE)
        yield file.fileno()


def ignore(_done: int, _total: int) -> None:
    pass


@pytest.mark.parametrize("seed", range(20))
def test_writes_in_any_order_leave_what_a_plain_file_would_have(descriptor: int, seed: int) -> None:
    chance = random.Random(seed)
    target, expected = SparseFile(descriptor, SIZE, ignore), bytearray(SIZE)
    for _ in range(40):
        offset = chance.randrange(SIZE)
        length = min(chance.choice([1, 4096, PIECE, 3 * PIECE + 5]), SIZE - offset)
        data = bytes(length) if chance.random() < 0.5 else chance.randbytes(length)
        target.seek(offset)
        assert target.write(data) == length
        assert target.tell() == offset + length
        expected[offset : offset + length] = data
    assert os.pread(descriptor, SIZE, 0) == expected


def test_zeros_stay_holes_and_data_does_not(descriptor: int) -> None:
    target = SparseFile(descriptor, SIZE, ignore)
    for at in range(0, SIZE, PIECE):
        target.write(b"x" * PIECE if at == 5 * PIECE else bytes(PIECE))
    assert os.fstat(descriptor).st_blocks * 512 <= 2 * PIECE
    assert os.lseek(descriptor, 0, os.SEEK_DATA) == 5 * PIECE
    assert os.fstat(descriptor).st_size == SIZE


def test_a_volume_larger_than_its_record_says_grows(descriptor: int) -> None:
    target = SparseFile(descriptor, SIZE, ignore)
    target.seek(0, os.SEEK_END)
    target.write(bytes(PIECE))
    assert os.fstat(descriptor).st_size == SIZE + PIECE


def test_a_full_folder_is_remembered(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)
    target = SparseFile(descriptor, SIZE, ignore)
    with pytest.raises(OSError, match="No space left"):
        target.write(b"x")
    assert target.full is not None
