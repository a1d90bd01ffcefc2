# SPDX-License-Identifier: Apache-2.0
"""Where a backup's bytes come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol


class Source(Protocol):
    """A volume that is read by one thread, at ascending offsets."""

    @property
    def size(self) -> int:
        """Bytes of the volume; they do not change during a job."""

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        """

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero."""


class FileSource:
    """A device node or a file by its descriptor, which stays the caller's."""

    def __init__(self, fd: int, *, size: int | None = None) -> None:
        """Use the descriptor.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        raise NotImplementedError


class ObjectSource:
    """A file object without a descriptor: one call at a time, ``seek`` then ``read``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        raise NotImplementedError


def open_source(file: BinaryIO, *, size: int | None = None) -> Source:
    """Return the quickest source for a file object: by its descriptor where it has one."""
    raise NotImplementedError
