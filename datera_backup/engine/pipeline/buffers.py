# SPDX-License-Identifier: Apache-2.0
"""A pool of buffers: new ones cost a page fault for every 4 KiB."""

from __future__ import annotations

import mmap

from datera_backup.engine.pipeline.threads import unpatched_threading

_MOST_FREE = 12 << 20
"""Bytes that are kept in unused buffers where there are more buffers than may be read into."""


def is_worth_keeping(buffer: memoryview, used: int) -> bool:
    """Say whether so many bytes of a buffer may stay in it while they wait, or must be copied.

    What waits is bounded by its own bytes, but takes whole buffers: at most an eighth more.
    """
    return 8 * used >= 7 * len(buffer)


class Buffers:
    """A pool of buffers; how many are in use at once is bounded by a job.

    Where storage is quick, all that may be read into at once are in use one moment and free the
    next: none of those is made anew. When there are more, because some wait in segments, few unused
    ones are kept: what was made of the others' bytes takes their room meanwhile.
    """

    def __init__(self, size: int, most: int) -> None:
        """Begin without any.

        :param most: may be read into at once.
        """
        self._size = size
        self._most = most
        self._most_free = max(1, _MOST_FREE // size)
        self._lock = unpatched_threading().Lock()
        self._free: list[memoryview] = []
        self._made = 0

    def take(self) -> memoryview:
        """Return a buffer with arbitrary contents, at a page's beginning; in any thread."""
        with self._lock:
            if self._free:
                return self._free.pop()
            self._made += 1
        return memoryview(mmap.mmap(-1, self._size))

    def give(self, buffer: memoryview) -> None:
        """Take back a buffer that is no longer in use."""
        with self._lock:
            if self._made <= self._most or len(self._free) < self._most_free:
                self._free.append(buffer)
            else:
                self._made -= 1
