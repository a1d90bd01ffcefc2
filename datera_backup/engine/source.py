# SPDX-License-Identifier: Apache-2.0
"""Where a backup's bytes come from."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from datera_backup.engine.descriptor import has_descriptor, object_size, size_of
from datera_backup.engine.errors import SourceTruncated
from datera_backup.engine.threads import native


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
    """A device node or a file, read by its descriptor, which stays the caller's.

    Its holes are skipped where it is a regular file; a device does not tell.
    """

    def __init__(self, file: int | BinaryIO, *, size: int | None = None) -> None:
        """Use a descriptor, or that of a file object.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        # Held, because a file object closes its descriptor when nobody has it any more.
        self._file = file
        self._fd = fd = file if isinstance(file, int) else file.fileno()
        self._size = size_of(fd) if size is None else size

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        """
        done = 0
        while done < len(buffer):
            count = os.preadv(self._fd, [buffer[done:]], offset + done)
            if count == 0:
                raise SourceTruncated(offset + done, self._size)
            done += count

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero.

        :raises SourceTruncated: the file is shorter than the volume should be.
        """
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            yield 0, self._size
            return
        start = end = 0
        while end < self._size and (start := self._seek(end, os.SEEK_DATA)) < self._size:
            end = min(self._seek(start, os.SEEK_HOLE), self._size)
            yield start, end
        # What lies beyond the end of a file looks like a hole.
        length = os.fstat(self._fd).st_size
        if length < self._size:
            raise SourceTruncated(length, self._size)

    def _seek(self, offset: int, what: int) -> int:
        try:
            return os.lseek(self._fd, offset, what)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nothing but a hole up to the end
                return self._size
            raise


class ObjectSource:
    """A file object without a descriptor: one call at a time, ``seek`` then ``read``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        """Use the object, whose position will move.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        self._file = file
        self._lock = native().Lock()
        self._size = object_size(file) if size is None else size

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        """
        done = 0
        with self._lock:
            self._file.seek(offset)
            while done < len(buffer):
                data = self._file.read(len(buffer) - done)
                if not data:
                    raise SourceTruncated(offset + done, self._size)
                buffer[done : done + len(data)] = data
                done += len(data)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield the whole volume: an object does not tell where its holes are."""
        yield 0, self._size


def open_source(file: BinaryIO, *, size: int | None = None) -> Source:
    """Return the quickest source for a file object: by its descriptor where it has one.

    :param size: bytes to back up, where that is not the size of what is open.
    """
    return FileSource(file, size=size) if has_descriptor(file) else ObjectSource(file, size=size)
