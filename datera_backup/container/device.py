# SPDX-License-Identifier: Apache-2.0
"""The block device below a container: the only access to it of this package."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Sequence
from typing import Protocol

from datera_backup.container import discarding, notices
from datera_backup.container.errors import BytesAbsent, BytesUnreadable, BytesUnwritable

Buffer = bytes | bytearray | memoryview

_BLOCKS = 64 << 10
"""What is read of so many bytes at once is not read again soon."""

_MAX_VECTOR = 1024
"""Buffers that Linux takes in one call, ``IOV_MAX``."""


class Device(Protocol):
    """A fixed number of bytes with positioned reads and writes, used by many threads at once."""

    @property
    def size(self) -> int:
        """Bytes that the device has."""

    def pread(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises BytesAbsent: the device ends before the buffer is full.
        :raises OSError: the device reports an error; :func:`read_into` makes it `BytesUnreadable`.
        """

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        They are durable only after :meth:`flush`.

        :raises OSError: the device reports an error.
        """

    def flush(self) -> None:
        """Flush: return when everything written before survives a power cut.

        :raises OSError: the device reports an error.
        """

    def forget(self, offset: int = 0, length: int | None = None) -> None:
        """Drop the cached pages of a range, so that the next read sees other hosts' writes.

        What was written through this object stays.

        :param length: bytes; None is all of them up to the end.
        """

    def discard(self, offset: int, length: int) -> bool:
        """Discard a range that is no longer needed.

        :param length: bytes. What is not a whole number of the device's own units may stay.
        :returns: whether the device can do that; else nothing was done.
        """


class FileDevice:
    """A device node or a regular file."""

    def __init__(self, file: str | os.PathLike[str] | int, *, writable: bool = True) -> None:
        """Open a path, or use a descriptor that stays the caller's.

        :param writable: whether a path is opened for writing too.
        """
        self._owned = not isinstance(file, int)
        self._discards = True
        if isinstance(file, int):
            self._fd = file
        else:
            self._fd = os.open(file, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
        self._is_device = stat.S_ISBLK(os.fstat(self._fd).st_mode)

    @property
    def size(self) -> int:
        """Bytes that the device has now; it may have been extended since it was opened."""
        return os.lseek(self._fd, 0, os.SEEK_END)

    def pread(self, offset: int, buffer: memoryview) -> None:
        """Fill the whole buffer from ``offset``.

        :raises BytesAbsent: the device ends before the buffer is full.
        """
        done = 0
        while done < len(buffer):
            count = os.preadv(self._fd, [buffer[done:]], offset + done)
            if count == 0:
                raise BytesAbsent(
                    f"The device ends at byte {offset + done}, before byte {offset + len(buffer)}."
                )
            done += count
        if self._is_device and len(buffer) >= _BLOCKS:
            # Blocks are read once, and would fill the host's page cache; metadata may stay.
            os.posix_fadvise(self._fd, offset, len(buffer), os.POSIX_FADV_DONTNEED)

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        :raises BytesUnwritable: the device reports an error.
        """
        try:
            write_all(self._fd, offset, buffers)
        except OSError as exc:
            end = offset + sum(map(len, buffers))
            raise BytesUnwritable(
                f"The device reports an error while bytes {offset} to {end} are written: {exc}."
            ) from exc

    def flush(self) -> None:
        """Flush: return when everything written before survives a power cut.

        :raises BytesUnwritable: the device reports an error.
        """
        try:
            os.fdatasync(self._fd)
        except OSError as exc:
            raise BytesUnwritable(
                f"The device reports an error while it is flushed: {exc}."
            ) from exc

    def forget(self, offset: int = 0, length: int | None = None) -> None:
        """Drop the cached pages of a range, so that the next read sees other hosts' writes.

        A host keeps in its page cache what it has read of a device for as long as anybody there has
        the device open, whatever other hosts write to it.
        """
        # Only whole pages that are not waiting to be written are let go of.
        self.flush()
        first = offset - offset % mmap.PAGESIZE
        # To posix_fadvise a length of 0 is everything up to the end.
        size = 0 if length is None else offset + length - first
        os.posix_fadvise(self._fd, first, size + -size % mmap.PAGESIZE, os.POSIX_FADV_DONTNEED)

    def discard(self, offset: int, length: int) -> bool:
        """Discard a range: a hole in a file, UNMAP on a device.

        A device that fails once is not asked again: what is not given back does no harm.
        """
        if self._discards:
            try:
                self._discards = discarding.discard(self._fd, offset, length)
            except OSError as exc:
                self._discards = False
                notices.tell(f"Space on the device cannot be discarded: {exc}.")
        return self._discards

    def close(self) -> None:
        """Close what this object opened; a second call does nothing."""
        if self._owned:
            self._owned = False
            os.close(self._fd)

    def __enter__(self) -> FileDevice:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def write_all(descriptor: int, offset: int, buffers: Sequence[Buffer]) -> None:
    """Write all the buffers one after the other, in as many calls as the system makes of it.

    :raises OSError: the device reports an error, or takes no bytes without one.
    """
    left = [memoryview(buffer) for buffer in buffers if len(buffer)]
    first = 0
    while first < len(left):
        count = os.pwritev(descriptor, left[first : first + _MAX_VECTOR], offset)
        if not count:
            # It would take none the next time either.
            raise OSError(errno.EIO, "The device takes no more bytes")
        offset += count
        while first < len(left) and count >= len(left[first]):
            count -= len(left[first])
            first += 1
        if count:
            left[first] = left[first][count:]


def read_into(device: Device, offset: int, buffer: memoryview) -> None:
    """Fill the whole buffer from ``offset``.

    :raises BytesAbsent: the device ends before.
    :raises BytesUnreadable: the device reports an error.
    """
    _require(device, offset, len(buffer))
    try:
        device.pread(offset, buffer)
    except OSError as exc:
        raise BytesUnreadable(
            f"The device reports an error between bytes {offset} and {offset + len(buffer)}: {exc}."
        ) from exc


def read(device: Device, offset: int, length: int) -> bytes:
    """Return ``length`` bytes from ``offset``.

    :raises BytesAbsent: the device ends before.
    :raises BytesUnreadable: the device reports an error.
    """
    # Before memory is set aside for it: a damaged record may claim any length.
    _require(device, offset, length)
    buffer = bytearray(length)
    read_into(device, offset, memoryview(buffer))
    return bytes(buffer)


def _require(device: Device, offset: int, length: int) -> None:
    """Check that a range lies on the device: a forged one may have any offset.

    :raises BytesAbsent: the device ends before.
    """
    if offset + length > device.size:
        raise BytesAbsent(f"The device ends at byte {device.size}, before byte {offset + length}.")
