# SPDX-License-Identifier: Apache-2.0
"""Blocks of zeros, and blocks that hold one other byte anywhere."""

from __future__ import annotations

import mmap

import pytest

from datera_backup.engine.zeros import is_zero

SIZES = (1, 2, 255, 256, 257, 512, 4096, 65_536)


@pytest.mark.parametrize("size", [0, *SIZES])
@pytest.mark.parametrize("shift", [0, 1])
def test_zeros_are_told_whatever_lies_beside_them(size: int, shift: int) -> None:
    whole = bytearray(b"\xff" * (shift + size + 3))
    block = memoryview(whole)[shift : shift + size]
    block[:] = bytes(size)
    assert is_zero(block)


@pytest.mark.parametrize("size", SIZES)
def test_one_other_byte_anywhere_is_found(size: int) -> None:
    block = memoryview(bytearray(size))
    for at in {*range(min(size, 600)), size // 2, size - 2, size - 1} - {-1}:
        block[at] = 1
        assert not is_zero(block), at
        block[at] = 0


def test_pages_of_their_own_can_be_looked_at() -> None:
    with mmap.mmap(-1, 8192) as pages, memoryview(pages) as block:
        assert is_zero(block)
        block[8191] = 1
        assert not is_zero(block)
