# SPDX-License-Identifier: Apache-2.0
"""A backup's data as the file of a volume, which the target's driver backs up."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from typing import Any

from backup_dispatch.drivers.interface import BackupData, MissingRange, Progress

PIECE = 16 << 20
"""Bytes that are asked of the reader at once."""


class DataMissing(OSError):
    """A range of the volume is damaged in its backup."""


class BackupFile(io.RawIOBase):
    """Looks like a device that is open for reading; has no descriptor.

    Besides, what :class:`~backup_dispatch.drivers.interface.BackupData` has: a driver may ask for
    ``extents()``, and read at any offset by ``read_into()``.

    A driver may wrap what reading raises in errors of its own. So what was found is kept here.

    :param data: the caller closes it.
    :param progress: called with the bytes read, and the size.
    :param size: of the volume, if that is more than the data: the rest is zeros.
    :ivar damage: the ranges that are damaged; reading stops at the first.
    :ivar failure: what the source's backend raised.
    """

    def __init__(self, data: BackupData, progress: Progress, size: int = 0) -> None:
        super().__init__()
        self._data = data
        self._progress = progress
        self._position = 0
        self._done = 0
        self._compared = 0
        self.length = max(size, data.size)
        self.damage: list[MissingRange] = []
        self.failure: Exception | None = None

    # As a file

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """There is no descriptor; the error is one that Cinder's drivers handle.

        :raises OSError: always.
        """
        raise OSError("a backup has no descriptor")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The bytes from the position on; fewer only at the volume's end.

        :raises DataMissing: some of them are damaged.
        """
        left = max(0, self.length - self._position)
        buffer = bytearray(left if size is None or size < 0 else min(size, left))
        self._fill(memoryview(buffer))
        # Ceph's library takes nothing but bytes.
        return bytes(buffer)

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the position on; returns how many bytes there were.

        :raises DataMissing: some of them are damaged.
        """
        room = memoryview(buffer).cast("B")
        count = min(len(room), max(0, self.length - self._position))
        self._fill(room[:count])
        return count

    def _fill(self, room: memoryview) -> None:
        for start in range(0, len(room), PIECE):
            piece = room[start : start + PIECE]
            self.read_into(self._position, piece)
            self._position += len(piece)

    def holds_at(self, offset: int, data: Any) -> bool:
        """Whether these are the bytes at an offset.

        :raises DataMissing: some of them are damaged.
        """
        expected = bytearray(len(data))
        self.read_into(offset, memoryview(expected))
        self._compared = max(self._compared, offset + len(data))
        return bool(expected == data)

    def not_compared(self) -> list[str]:
        """What of the data lies behind all that was compared, one line; nothing if none does."""
        end = max((offset + length for offset, length in self.extents()), default=0)
        if end <= self._compared:
            return []
        return [f"it ends at byte {self._compared}, and the volume's data at byte {end}"]

    # At any offset

    @property
    def size(self) -> int:
        """The volume's size in bytes."""
        return self.length

    def extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that may hold anything but zeros: offset and length, in order."""
        return self._data.extents()

    def read_into(self, offset: int, buffer: memoryview) -> Sequence[MissingRange]:
        """Fill the buffer; from several threads at once, too.

        :returns: nothing, for damage is raised here.
        :raises DataMissing: some of it is damaged.
        """
        stored = min(len(buffer), max(0, self._data.size - offset))
        try:
            missing = self._data.read_into(offset, buffer[:stored]) if stored else ()
        except Exception as error:
            self.failure = self.failure or error
            raise
        if missing:
            self.damage += missing
            one = missing[0]
            raise DataMissing(f"bytes {one.offset} to {one.offset + one.length}: {one.reason}")
        if stored < len(buffer):
            buffer[stored:] = bytes(len(buffer) - stored)
        self._done = min(self._done + len(buffer), self.length)
        self._progress(self._done, self.length)
        return ()
