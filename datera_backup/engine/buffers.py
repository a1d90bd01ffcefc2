# SPDX-License-Identifier: Apache-2.0
"""Buffers that are used again and again: fresh ones cost a page fault for every 4 KiB."""

from __future__ import annotations


class Buffers:
    """A stock that grows to as many as are out at once, which the conveyor bounds."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Return a buffer with anything in it."""
        # The list's own operations are atomic, and only one thread takes.
        return self._free.pop() if self._free else memoryview(bytearray(self._size))

    def give(self, buffer: memoryview) -> None:
        """Take a buffer back that nobody looks at any more."""
        self._free.append(buffer)
