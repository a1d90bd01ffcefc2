# SPDX-License-Identifier: Apache-2.0
"""Sinks: the volumes that restores write."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from datera_backup.container import MIB, discarding
from datera_backup.container.device import Buffer, write_all
from datera_backup.engine.descriptor import object_size, size_of
from datera_backup.engine.errors import SinkNotDurable, SinkUnwritable
from datera_backup.engine.pipeline.threads import unpatched_threading

_ZEROS = memoryview(bytes(MIB))


class Sink(Protocol):
    """A volume. Several threads write it at once, ranges that do not overlap, in any order."""

    @property
    def size(self) -> int:
        """Bytes of the volume."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        :raises SinkUnwritable: that failed.
        """

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there.

        :raises SinkUnwritable: that failed.
        """

    def flush(self) -> None:
        """Return when all that was written is durable.

        :raises SinkNotDurable: it may not be.
        """


class FileSink:
    """A device node or a file, written by its descriptor, which stays the caller's."""

    def __init__(self, file: int | BinaryIO, *, size: int | None = None) -> None:
        """Use a descriptor, or that of a file object.

        :param size: bytes the volume has; a regular file that is shorter is extended to it.
        """
        # Held, because a file object closes its descriptor when it is garbage collected.
        self._file = file
        self._fd = fd = file if isinstance(file, int) else file.fileno()
        self._size = size_of(fd)
        if size is not None and self._size < size and stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, size)
            self._size = size
        self._reports_holes = stat.S_ISREG(os.fstat(fd).st_mode)
        self._punches = True

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        :raises SinkUnwritable: that failed.
        """
        try:
            write_all(self._fd, offset, buffers)
        except OSError as failure:
            raise SinkUnwritable(self._first_unwritable(offset, buffers), failure) from failure

    def _first_unwritable(self, offset: int, buffers: Sequence[Buffer]) -> int:
        """Return where the first of the buffers goes that cannot be written; all were tried."""
        at = offset
        for buffer in buffers:
            try:
                write_all(self._fd, at, [buffer])
            except OSError:
                return at
            at += len(buffer)
        return offset

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there; nothing is stored where that can be done.

        :raises SinkUnwritable: that failed.
        """
        for start, end in self._stored(offset, offset + length):
            first, last = discarding.whole_units(start, end)
            if first < last and self._punched(first, last):
                self._write_zeros(start, first)
                self._write_zeros(last, end)
            else:
                self._write_zeros(start, end)

    def _stored(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a range that are no holes; a device does not report any."""
        if not self._reports_holes:
            yield start, end
            return
        stop = start
        while stop < end and (begin := self._seek(stop, os.SEEK_DATA, end)) < end:
            stop = min(self._seek(begin, os.SEEK_HOLE, end), end)
            yield begin, stop

    def _seek(self, offset: int, what: int, end: int) -> int:
        try:
            return os.lseek(self._fd, offset, what)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # nothing but a hole up to the end of the file
                return end
            # Not told, so that it counts as data.
            return offset if what == os.SEEK_DATA else end

    def _punched(self, start: int, end: int) -> bool:
        """Free a range that will read as zeros, where that can be done."""
        if self._punches:
            try:
                discarding.punch(self._fd, start, end - start)
            except OSError:
                # Whatever the reason, zeros are written instead; if that fails too, it is told.
                self._punches = False
        return self._punches

    def _write_zeros(self, start: int, end: int) -> None:
        for at in range(start, end, len(_ZEROS)):
            with written_at(at, OSError):
                write_all(self._fd, at, [_ZEROS[: end - at]])

    def flush(self) -> None:
        """Return when all that was written is durable.

        :raises SinkNotDurable: it may not be.
        """
        with flushed(OSError):
            os.fsync(self._fd)


class ObjectSink:
    """A file object without a descriptor: one call at a time, ``seek`` then ``write``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        """Use the object, whose position will move.

        :param size: bytes of the volume, for objects that cannot report it.
        """
        self._file = file
        self._lock = unpatched_threading().Lock()
        self._size = object_size(file) if size is None else size

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        :raises SinkUnwritable: that failed.
        """
        with self._lock:
            with written_at(offset):
                self._file.seek(offset)
            for buffer in buffers:
                self._write_all(offset, memoryview(buffer))
                offset += len(buffer)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there.

        :raises SinkUnwritable: that failed.
        """
        with self._lock:
            with written_at(offset):
                self._file.seek(offset)
            for start in range(0, length, len(_ZEROS)):
                self._write_all(offset + start, _ZEROS[: length - start])

    def flush(self) -> None:
        """Flush the object; return when all data is durable.

        :raises SinkNotDurable: it may not be.
        """
        with self._lock, flushed():
            self._file.flush()

    def _write_all(self, offset: int, view: memoryview) -> None:
        while view:
            with written_at(offset):
                # Bytes, because not every binding takes a view; None from those that do not count.
                count = self._file.write(bytes(view))
            count = len(view) if count is None else count
            view, offset = view[count:], offset + count


class NullSink:
    """Takes everything and keeps nothing."""

    def __init__(self, size: int) -> None:
        self._size = size

    @property
    def size(self) -> int:
        """Bytes that it pretends to have."""
        return self._size

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Do nothing."""

    def zero(self, offset: int, length: int) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""


@contextmanager
def written_at(offset: int, kind: type[Exception] = Exception) -> Iterator[None]:
    """Say where a write failed. Errors of the code of a file object, or of librbd, are of any kind.

    :raises SinkUnwritable: it failed.
    """
    try:
        yield
    except kind as failure:
        raise SinkUnwritable(offset, failure) from failure


@contextmanager
def flushed(kind: type[Exception] = Exception) -> Iterator[None]:
    """Say that a flush failed.

    :raises SinkNotDurable: it did.
    """
    try:
        yield
    except kind as failure:
        raise SinkNotDurable(failure) from failure
