# SPDX-License-Identifier: Apache-2.0
"""A pool of buffers: new ones cost a page fault for every 4 KiB."""

from __future__ import annotations

import mmap

_MOST_FREE = 12 << 20
"""Bytes that are kept in buffers which nobody uses."""


def is_worth_keeping(buffer: memoryview, used: int) -> bool:
    """Say whether so many bytes of a buffer may stay in it while they wait, or must be copied.

    What waits is bounded by its own bytes, but takes whole buffers: at most an eighth more.
    """
    return 8 * used >= 7 * len(buffer)


class Buffers:
    """A pool of buffers; how many are in use at once is bounded by a job.

    Few are kept for later: what was made of the bytes of the others takes their room meanwhile.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._most_free = max(1, _MOST_FREE // size)
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        """Return a buffer with arbitrary contents, at a page's beginning; in any thread."""
        # The list's own operations are atomic, but others may take what was seen there.
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(mmap.mmap(-1, self._size))

    def give(self, buffer: memoryview) -> None:
        """Take back a buffer that is no longer in use."""
        if len(self._free) < self._most_free:
            self._free.append(buffer)
