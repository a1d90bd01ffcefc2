# SPDX-License-Identifier: Apache-2.0
"""Where a restore's bytes go."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from datera_backup.container.device import Buffer, write_all
from datera_backup.engine.descriptor import has_descriptor, object_size, size_of
from datera_backup.engine.errors import SinkNotDurable, SinkUnwritable
from datera_backup.engine.threads import native

_ZEROS = memoryview(bytes(1 << 20))


class Sink(Protocol):
    """A volume that is written by one thread, at offsets in any order."""

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
        # Held, because a file object closes its descriptor when nobody has it any more.
        self._file = file
        self._fd = fd = file if isinstance(file, int) else file.fileno()
        self._size = size_of(fd)
        if size is not None and self._size < size and stat.S_ISREG(os.fstat(fd).st_mode):
            os.ftruncate(fd, size)
            self._size = size

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
        """Make a range read as zeros, whatever was there.

        :raises SinkUnwritable: that failed.
        """
        for start in range(0, length, len(_ZEROS)):
            with _written_at(offset + start, OSError):
                write_all(self._fd, offset + start, [_ZEROS[: length - start]])

    def flush(self) -> None:
        """Return when all that was written is durable.

        :raises SinkNotDurable: it may not be.
        """
        with _flushed(OSError):
            os.fsync(self._fd)


class ObjectSink:
    """A file object without a descriptor: one call at a time, ``seek`` then ``write``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        """Use the object, whose position will move.

        :param size: bytes the volume has, where the object does not tell.
        """
        self._file = file
        self._lock = native().Lock()
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
            with _written_at(offset):
                self._file.seek(offset)
            for buffer in buffers:
                self._write_all(offset, memoryview(buffer))
                offset += len(buffer)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there.

        :raises SinkUnwritable: that failed.
        """
        with self._lock:
            with _written_at(offset):
                self._file.seek(offset)
            for start in range(0, length, len(_ZEROS)):
                self._write_all(offset + start, _ZEROS[: length - start])

    def flush(self) -> None:
        """Return when the object says that all is durable.

        :raises SinkNotDurable: it may not be.
        """
        with self._lock, _flushed():
            self._file.flush()

    def _write_all(self, offset: int, view: memoryview) -> None:
        while view:
            with _written_at(offset):
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
def _written_at(offset: int, kind: type[Exception] = Exception) -> Iterator[None]:
    """Say where a write failed. Errors of a file object's own code may be of any kind."""
    try:
        yield
    except kind as failure:
        raise SinkUnwritable(offset, failure) from failure


@contextmanager
def _flushed(kind: type[Exception] = Exception) -> Iterator[None]:
    try:
        yield
    except kind as failure:
        raise SinkNotDurable(failure) from failure


def open_sink(file: BinaryIO, *, size: int | None = None) -> Sink:
    """Return the quickest sink for a file object: by its descriptor where it has one.

    :param size: bytes the volume has; a regular file that is shorter is extended to it.
    """
    if not has_descriptor(file):
        return ObjectSink(file, size=size)
    # What the object has buffered must not be written after, and over, what goes below it.
    file.flush()
    return FileSink(file, size=size)
