# SPDX-License-Identifier: Apache-2.0
"""Which parts of a volume may hold data, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

_LEAST_UNIT = 64 << 10
_MOST_UNITS = 1 << 22


class DataMap:
    """The parts of a volume that may hold anything but zeros; at first none.

    They are remembered in units of 64 KiB, or larger ones if a byte for each would take more than
    4 MiB. Any thread may mark and look, without a lock: each is one operation on a bytearray.
    """

    def __init__(self, size: int) -> None:
        """Begin with nothing marked.

        :param size: bytes of the volume.
        """
        self._size = size
        self._unit = _LEAST_UNIT
        while self._unit * _MOST_UNITS < size:
            self._unit *= 2
        self._marks = bytearray(-(-size // self._unit))

    def mark(self, start: int, end: int) -> None:
        """Mark a range, in any order; what lies beyond the volume's end is ignored."""
        end = min(end, self._size)
        if start < end:
            first, last = start // self._unit, -(-end // self._unit)
            self._marks[first:last] = b"\1" * (last - first)

    def ranges(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield the marked ranges (start, end) within a range, ascending, none next to another."""
        end = self._size if end is None else min(end, self._size)
        unit, marks, stop = self._unit, self._marks, -(-end // self._unit)
        position = start // unit
        while start < end and (first := marks.find(1, position, stop)) >= 0:
            position = marks.find(0, first, stop)
            if position < 0:
                position = stop
            yield max(start, first * unit), min(end, position * unit)
