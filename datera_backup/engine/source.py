# SPDX-License-Identifier: Apache-2.0
"""Sources: the volumes that backups read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol

from datera_backup.engine.descriptor import object_size, size_of
from datera_backup.engine.direct import is_device, read_directly
from datera_backup.engine.errors import SourceTruncated, SourceUnreadable
from datera_backup.engine.pipeline.threads import unpatched_threading

PAGE = 4096
"""Bytes that a read error is narrowed down to."""

MEDIUM_ERRORS = (errno.EIO, errno.ENODATA, errno.EILSEQ)
"""What the kernel says of a place that cannot be read, while others may be."""


class Source(Protocol):
    """A volume. Several threads read it at once, ranges that do not overlap, in any order."""

    @property
    def size(self) -> int:
        """Bytes of the volume; they do not change during a job."""

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        :raises SourceUnreadable: reading failed.
        """

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero."""


class FileSource:
    """A device node or a file, read by its descriptor, which stays the caller's.

    Holes of a regular file are skipped; a device does not report any.
    """

    def __init__(self, file: int | BinaryIO, *, size: int | None = None) -> None:
        """Use a descriptor, or that of a file object.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        # Held, because a file object closes its descriptor when it is garbage collected.
        self._file = file
        self._fd = fd = file if isinstance(file, int) else file.fileno()
        self._size = size_of(fd) if size is None else size
        self._directly = False

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        :raises SourceUnreadable: reading failed.
        """
        directly = self._directly
        done = already = read_directly(self._fd, offset, buffer) if directly else 0
        while done < len(buffer):
            try:
                count = os.preadv(self._fd, [buffer[done:]], offset + done)
            except OSError as failure:
                at = offset + done
                if failure.errno in MEDIUM_ERRORS:
                    at = self._first_unreadable(at, offset + len(buffer))
                raise SourceUnreadable(at, failure) from failure
            if count == 0:
                raise SourceTruncated(offset + done, self._size)
            done += count
        if directly and done > already:
            os.posix_fadvise(self._fd, offset, done, os.POSIX_FADV_DONTNEED)

    @contextmanager
    def directly(self) -> Iterator[None]:
        """Begin no read through the page cache while the block runs.

        Only what is a block device is read so. What is aligned neither in memory nor on the device
        is read through the cache even then, and dropped from it.
        """
        self._directly = is_device(self._fd)
        try:
            yield
        finally:
            self._directly = False

    def _first_unreadable(self, start: int, end: int) -> int:
        """Return where the first page lies that cannot be read, of a range that cannot."""
        room = memoryview(bytearray(end - start))
        first, last = start // PAGE, -(-end // PAGE)
        while last - first > 1:
            middle = (first + last) // 2
            at = max(start, first * PAGE)
            try:
                count = os.preadv(self._fd, [room[: middle * PAGE - at]], at)
            except OSError:
                last = middle
            else:
                # What comes up short ends where it fails.
                whole = at + count == middle * PAGE
                first, last = (middle, last) if whole else ((at + count) // PAGE, middle)
        return max(start, first * PAGE)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero.

        :raises SourceTruncated: the file is shorter than the volume should be.
        :raises SourceUnreadable: the filesystem cannot tell where its holes are.
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
            raise SourceUnreadable(offset, exc) from exc


class ObjectSource:
    """A file object without a descriptor: one call at a time, ``seek`` then ``read``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        """Use the object, whose position will move.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        self._file = file
        self._lock = unpatched_threading().Lock()
        with read_at(0):
            self._size = object_size(file) if size is None else size

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceTruncated: the volume ends before.
        :raises SourceUnreadable: reading failed.
        """
        done = 0
        with self._lock:
            with read_at(offset):
                self._file.seek(offset)
            while done < len(buffer):
                with read_at(offset + done):
                    data = self._file.read(len(buffer) - done)
                if not data:
                    raise SourceTruncated(offset + done, self._size)
                buffer[done : done + len(data)] = data
                done += len(data)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield the whole volume: an object does not report its holes."""
        yield 0, self._size


class RangeSource:
    """A file object without a descriptor that tells its ranges, and is read at any offset.

    It has ``size``, ``extents()``, which yields offsets and lengths, and ``read_into(offset,
    buffer)``, which several threads may call, and which raises what it cannot read.
    """

    def __init__(self, file: Any, *, size: int | None = None) -> None:
        """Use the object, whose position does not move.

        :param size: bytes to back up, where that is not the size of what is open.
        """
        self._file = file
        with read_at(0):
            self._size = int(file.size) if size is None else size

    @staticmethod
    def suits(file: Any) -> bool:
        """Say whether a file object can be read so."""
        return hasattr(file, "size") and all(
            callable(getattr(file, name, None)) for name in ("extents", "read_into")
        )

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises SourceUnreadable: reading failed, or the volume ends before.
        """
        with read_at(offset):
            self._file.read_into(offset, buffer)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero.

        :raises SourceUnreadable: the object cannot tell them.
        """
        with read_at(0):
            ranges = iter(self._file.extents())
        end = 0
        while True:
            with read_at(end):
                start, length = next(ranges, (self._size, 0))
            if start >= self._size:
                return
            end = min(start + length, self._size)
            yield start, end


@contextmanager
def past_the_cache(source: Source) -> Iterator[None]:
    """Keep out of the host's page cache what reads of a source give that begin in the block."""
    if isinstance(source, FileSource):
        with source.directly():
            yield
    else:
        yield


@contextmanager
def read_at(offset: int) -> Iterator[None]:
    """Say where the code of a file object, or of librbd, failed; its errors are of any kind.

    :raises SourceUnreadable: it failed.
    """
    try:
        yield
    except Exception as failure:
        raise SourceUnreadable(offset, failure) from failure
