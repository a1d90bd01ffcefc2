# SPDX-License-Identifier: Apache-2.0
"""A volume in Ceph that is backed up."""

from __future__ import annotations

from collections.abc import Iterator

from datera_backup.engine.errors import SourceTruncated
from datera_backup.engine.rbd.data_map import DataMap
from datera_backup.engine.rbd.image import RbdFile, mark_data
from datera_backup.engine.source import read_at


class RbdSource:
    """A librbd image, or a snapshot of one, read by as many threads as like."""

    def __init__(self, file: RbdFile, *, size: int | None = None) -> None:
        """Use the image behind a file object, which stays the caller's.

        :param size: bytes to back up, where that is not the size of the image.
        :raises SourceUnreadable: the image does not tell its size.
        """
        self._file = file
        with read_at(0):
            self._size = file.rbd_image.size() if size is None else size

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
        while done < len(buffer):
            with read_at(offset + done):
                data = self._file.rbd_image.read(offset + done, len(buffer) - done)
                buffer[done : done + len(data)] = data
            if not data:
                raise SourceTruncated(offset + done, self._size)
            done += len(data)

    def extents(self) -> Iterator[tuple[int, int]]:
        """Yield ranges (start, end), ascending, outside of which all bytes are zero.

        They are whole objects: within them librbd transfers no more than what was written.
        """
        found = DataMap(self._size)
        mark_data(self._file, found, self._size)
        yield from found.ranges()
