# SPDX-License-Identifier: Apache-2.0
"""A volume in Ceph that is restored onto."""

from __future__ import annotations

from collections.abc import Sequence

from datera_backup.container import MIB
from datera_backup.container.device import Buffer
from datera_backup.engine.pipeline.threads import unpatched_threading
from datera_backup.engine.rbd.data_map import DataMap
from datera_backup.engine.rbd.image import RbdFile, mark_data
from datera_backup.engine.sink import flushed, written_at

_MOST_ZEROS = 16 * MIB
"""Bytes to zero in one call; librbd has all objects of it under way at once."""


class RbdSink:
    """A librbd image, written by as many threads as like."""

    def __init__(self, file: RbdFile) -> None:
        """Use the image behind a file object, which stays the caller's.

        :raises SinkUnwritable: the image does not tell its size.
        """
        self._file = file
        with written_at(0):
            self._size = file.rbd_image.size()
        self._data = DataMap(self._size)
        self._asked = False
        self._asking = unpatched_threading().Lock()

    @property
    def size(self) -> int:
        """Bytes of the volume."""
        return self._size

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all the buffers one after the other, the first at ``offset``.

        :raises SinkUnwritable: that failed.
        """
        data = b"".join(buffers)
        # First, because what fails may have been written in part.
        self._data.mark(offset, offset + len(data))
        with written_at(offset):
            self._file.rbd_image.write(data, offset)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there; nothing is sent where there is nothing.

        :raises SinkUnwritable: that failed.
        """
        self._ask()
        for start, end in self._data.ranges(offset, offset + length):
            for at in range(start, end, _MOST_ZEROS):
                with written_at(at):
                    self._zero(at, min(_MOST_ZEROS, end - at))

    def _zero(self, offset: int, length: int) -> None:
        image = self._file.rbd_image
        # Not discard(): as Ceph is configured, that skips what is not a whole object.
        write_zeroes = getattr(image, "write_zeroes", None)
        if write_zeroes is not None:
            write_zeroes(offset, length)
        else:  # before Ceph 16
            image.write(bytes(length), offset)

    def _ask(self) -> None:
        """Ask once which parts hold data; not before, because a new volume is not zeroed."""
        with self._asking:
            if not self._asked:
                mark_data(self._file, self._data, self._size)
                self._asked = True

    def flush(self) -> None:
        """Return when all that was written is durable.

        :raises SinkNotDurable: it may not be.
        """
        with flushed():
            self._file.rbd_image.flush()
