# SPDX-License-Identifier: Apache-2.0
"""A source that tells its ranges and is read at any offset: what a copy hands over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from datera_backup.engine import SourceUnreadable, open_source


class Ranges:
    """A volume of 100 bytes, with data in two places."""

    size = 100

    def __init__(self) -> None:
        self.read: list[tuple[int, int]] = []
        self.broken = False

    def extents(self) -> Iterator[tuple[int, int]]:
        yield 10, 20
        if self.broken:
            raise ConnectionError("no answer")
        yield 90, 10

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.read.append((offset, len(buffer)))
        if self.broken:
            raise OSError("damaged")
        buffer[:] = bytes(range(offset, offset + len(buffer)))


def test_holes_are_told_and_ranges_read() -> None:
    source = open_source(Ranges())  # type: ignore[arg-type]
    assert source.size == 100
    assert list(source.extents()) == [(10, 30), (90, 100)]
    room = bytearray(5)
    source.readinto(12, memoryview(room))
    assert room == bytes(range(12, 17))


def test_nothing_beyond_the_size_is_told() -> None:
    source = open_source(Ranges(), size=95)  # type: ignore[arg-type]
    assert list(source.extents()) == [(10, 30), (90, 95)]
    assert list(open_source(Ranges(), size=50).extents()) == [(10, 30)]  # type: ignore[arg-type]


def test_what_the_object_raises_names_the_place() -> None:
    ranges = Ranges()
    ranges.broken = True
    source = open_source(ranges)  # type: ignore[arg-type]
    with pytest.raises(SourceUnreadable, match="30"):
        list(source.extents())
    with pytest.raises(SourceUnreadable, match="12"):
        source.readinto(12, memoryview(bytearray(5)))
