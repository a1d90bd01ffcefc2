# SPDX-License-Identifier: Apache-2.0
"""A file that behaves like a block device: its size is fixed, and it is never truncated."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class VolumeDevice(io.RawIOBase):
    """An unbuffered file object over a volume's data, opened for reading and writing.

    Reading past the end returns nothing, writing past the end raises ENOSPC; of a write that begins
    before the end and exceeds it, what fits is written, as on a device.

    :param path: the data file.
    :param size: the device's size in bytes; a longer file is not read beyond it.
    :param alive: called before each access; False makes it fail with EIO, like a device that
        has lost its session.
    :raises OSError: the file cannot be opened.
    """

    def __init__(self, path: str, size: int, alive: Callable[[], bool] = lambda: True) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.name = path
        self.mode = "rb+"
        self.size = size
        self._position = 0
        self._alive = alive

    def fileno(self) -> int:
        """Return the descriptor, for fsync and the like."""
        self._check_open()
        return self._descriptor

    def readable(self) -> bool:
        """Say yes."""
        return True

    def writable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move the position; beyond the end is allowed, as it is on a device.

        :raises OSError: it would be before the beginning.
        """
        self._check_open()
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}
        target = base[whence] + offset
        if target < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = target
        return target

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read up to the buffer's length and return how many bytes it were."""
        self._check_alive()
        view = memoryview(buffer).cast("B")
        room = max(0, min(len(view), self.size - self._position))
        if not room:
            return 0
        # If the file is shorter, the rest reads as zeros: a device has its full size.
        done = os.preadv(self._descriptor, [view[:room]], self._position)
        view[done:room] = bytes(room - done)
        self._position += room
        return room

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what fits and return how many bytes it were.

        :raises OSError: ENOSPC, when nothing fits.
        """
        self._check_alive()
        view = memoryview(data).cast("B")
        room = min(len(view), self.size - self._position)
        if len(view) and room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = 0
        while done < room:
            done += os.pwrite(self._descriptor, view[done:room], self._position + done)
        self._position += done
        if done < len(view):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return done

    def truncate(self, size: int | None = None, /) -> int:
        """Refuse: devices cannot be truncated.

        :raises OSError: always.
        """
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            super().close()
            os.close(self._descriptor)

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed device")

    def _check_alive(self) -> None:
        self._check_open()
        if not self._alive():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
