# SPDX-License-Identifier: Apache-2.0
"""Volumes are filled, changed and compared to the last byte."""

import io
from collections.abc import Callable

import pytest

from demo.blocks import CHANGE, PIECE, Changes, Differs, change, compare, fill

SIZE = 3 * PIECE + CHANGE


def content() -> bytes:
    return b"\1" * PIECE + bytes(PIECE) + b"\2" * (PIECE + CHANGE)


def ignored(moved: int) -> None:
    pass


class Reluctant(io.BytesIO):
    """Gives and takes less than it is asked to, as devices may."""

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        return super().readinto(memoryview(buffer)[:1000])

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        return super().write(memoryview(data)[:70000])


@pytest.mark.parametrize("kind", [io.BytesIO, Reluctant])
def test_a_filled_volume_equals_its_source(kind: Callable[[bytes], io.BytesIO]) -> None:
    volume = kind(bytes(SIZE))
    moved: list[int] = []

    assert fill(volume, kind(content()), moved.append) == 2 * PIECE + CHANGE
    assert volume.getvalue() == content()
    assert moved[-1] == SIZE
    assert compare(volume, kind(content()), None, moved.append) == SIZE


@pytest.mark.parametrize("place", [0, PIECE + 7, SIZE - 1])
def test_one_different_byte_is_found_and_named(place: int) -> None:
    damaged = bytearray(content())
    damaged[place] ^= 0xFF

    with pytest.raises(Differs, match=f"byte {place} is {damaged[place]:#04x}, not "):
        compare(io.BytesIO(damaged), io.BytesIO(content()), None, ignored)


def test_a_volume_that_is_too_short_or_too_long_differs() -> None:
    with pytest.raises(Differs, match=f"ends at byte {SIZE - 1}"):
        compare(io.BytesIO(content()[:-1]), io.BytesIO(content()), None, ignored)
    with pytest.raises(Differs, match=f"goes on after byte {SIZE}"):
        compare(io.BytesIO(content() + b"\0"), io.BytesIO(content()), None, ignored)


def test_comparison_expects_the_changes() -> None:
    changes = Changes(SIZE, percent=5, seed=1)
    volume = io.BytesIO(content())

    assert change(volume, changes, ignored) == changes.total > 0
    assert volume.getvalue() != content()
    assert compare(volume, io.BytesIO(content()), changes, ignored) == SIZE


def test_comparison_finds_a_missing_change() -> None:
    with pytest.raises(Differs):
        compare(io.BytesIO(content()), io.BytesIO(content()), Changes(SIZE, 5, 1), ignored)


def test_the_same_seed_makes_the_same_changes() -> None:
    assert list(Changes(SIZE, 5, 1)) == list(Changes(SIZE, 5, 1))
    assert list(Changes(SIZE, 5, 1)) != list(Changes(SIZE, 5, 2))
