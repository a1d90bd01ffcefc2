# SPDX-License-Identifier: Apache-2.0
"""Which object of a chain has a part of the volume: that of the newest backup which wrote it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from backup_dispatch.drivers.readers.stored import Stored


class Segment(NamedTuple):
    """A range of the volume that comes from one object.

    :ivar extra: what the driver's ``get_object_reader`` needs besides the name.
    """

    start: int
    end: int
    backup: Any
    extra: Any
    one: Stored


class Overlay:
    """The objects of a chain, the newer over the older ones, as a restore would write them."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._starts: list[int] = []

    @property
    def end(self) -> int:
        """The first byte of the volume behind all objects."""
        return self._segments[-1].end if self._segments else 0

    def add(self, backup: Any, objects: Iterable[Stored], extra: Any) -> None:
        """Put a backup's objects over those of the backups before it."""
        above: list[Segment] = []
        at = 0
        for one in sorted(objects, key=lambda one: one.offset):
            start = max(at, one.offset)
            if start < one.end:
                above.append(Segment(start, one.end, backup, extra, one))
                at = one.end
        self._segments = list(_merged(above, self._segments))
        self._starts = [segment.start for segment in self._segments]

    def between(self, start: int, end: int) -> Iterator[Segment]:
        """The segments of a range, cut to it, in order; where there is none, no object has it."""
        for at in range(max(0, bisect_right(self._starts, start) - 1), len(self._segments)):
            one = self._segments[at]
            if one.start >= end:
                return
            yield from _cut(one, start, end)


def _merged(above: list[Segment], below: list[Segment]) -> Iterator[Segment]:
    """Both, in order, with what is below only where nothing is above it."""
    at = index = 0
    for one in above:
        while index < len(below) and below[index].start < one.start:
            yield from _cut(below[index], at, one.start)
            if below[index].end > one.start:
                break  # it may go on behind this one
            index += 1
        yield one
        at = one.end
        while index < len(below) and below[index].end <= at:
            index += 1
    for under in below[index:]:
        yield from _cut(under, at, under.end)


def _cut(one: Segment, start: int, end: int) -> Iterator[Segment]:
    """What of a segment is in a range, if anything."""
    start, end = max(start, one.start), min(end, one.end)
    if start < end:
        yield one._replace(start=start, end=end)
