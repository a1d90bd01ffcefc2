# SPDX-License-Identifier: Apache-2.0
"""Reads backups of drivers that can only restore: from a sparse file that they restore onto.

The file has no name: it is gone when the reader is closed, and when the process ends in any way.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cinder import exception
from oslo_utils import units

from backup_dispatch.drivers.custody import has_nothing
from backup_dispatch.drivers.deletion import require_kept
from backup_dispatch.drivers.interface import Progress
from backup_dispatch.drivers.null_volume import VolumeStandIn
from backup_dispatch.drivers.readers.missing import Missing
from backup_dispatch.drivers.readers.restoring import restore_elsewhere
from backup_dispatch.errors import DataDamaged, ScratchFull, VerdictUnknown

_HOLE = 64 * 1024
"""Zeros of so many bytes, and at a multiple of so many, are not written where nothing was."""

_ZEROS = bytes(_HOLE)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class ScratchData:
    """A backup, restored into a file of the scratch folder.

    What is read is as right as the driver's restore: there are no digests to compare with.

    :raises ScratchFull: the folder has no room for it.
    :raises DataDamaged: the backend answers that it has nothing of the backup.
    :raises VerdictUnknown: the backup was deleted meanwhile, or the volume's record is missing.
    :raises Exception: whatever the driver raises.
    """

    def __init__(self, driver: Any, backup: Any, scratch: Path, progress: Progress) -> None:
        self.size = backup.size * units.Gi
        try:
            file = tempfile.TemporaryFile(dir=scratch, buffering=0)  # noqa: SIM115 - kept
        except OSError as error:
            raise ScratchFull(scratch, error) from error
        try:
            file.truncate(self.size)
            target = SparseFile(file.fileno(), self.size, progress)
            _restore(driver, backup, target, scratch)
            # Cinder gives the size in GiB; a driver that wrote more has a larger volume.
            self.size = os.fstat(file.fileno()).st_size
        except BaseException:
            file.close()
            raise
        self._file = file

    def extents(self) -> Iterator[tuple[int, int]]:
        """The ranges that were written."""
        descriptor, at = self._file.fileno(), 0
        while at < self.size:
            try:
                start = os.lseek(descriptor, at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    return
                raise
            at = os.lseek(descriptor, start, os.SEEK_HOLE)
            yield start, at - start

    def read_into(self, offset: int, buffer: memoryview) -> list[Missing]:
        """Fill the buffer; nothing is ever missing.

        :raises ValueError: the volume ends before the buffer is full.
        """
        if not 0 <= offset <= offset + len(buffer) <= self.size:
            raise ValueError(f"{len(buffer)} bytes from {offset} on: the volume has {self.size}")
        done = 0
        while done < len(buffer):
            done += os.preadv(self._file.fileno(), [buffer[done:]], offset + done)
        return []

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def _restore(driver: Any, backup: Any, target: SparseFile, scratch: Path) -> None:
    try:
        restore_elsewhere(driver, backup, target)
    except exception.VolumeNotFound as purged:
        raise VerdictUnknown(
            f"What backup {backup.id} holds: its driver needs the record of volume "
            f"{backup.volume_id}, which is not in this database"
        ) from purged
    except Exception as error:
        if target.full is not None:
            raise ScratchFull(scratch, target.full) from error
        require_kept([backup])
        if has_nothing(driver, backup):
            raise DataDamaged(
                f"Backup {backup.id} cannot be opened: the backend has nothing of it."
            ) from error
        raise
    require_kept([backup])


class SparseFile(VolumeStandIn):
    """A file that keeps holes.

    :param descriptor: an empty file of the volume's size, which stays the caller's.
    :param progress: called with the end of what was written, and the size.
    :ivar full: the error by which the file took no more; None if there was none.
    """

    def __init__(self, descriptor: int, size: int, progress: Progress) -> None:
        super().__init__(size)
        self._descriptor = descriptor
        self._progress = progress
        self._written = 0
        self.full: OSError | None = None

    def write(self, data: Any) -> int:
        """Write at the position; zeros behind all that was written stay holes.

        :raises OSError: there is no room.
        """
        view = memoryview(data).cast("B")
        try:
            for start, part in self._parts(view):
                self._put(start, part)
        except OSError as error:
            if error.errno in _NO_ROOM:
                self.full = error
            raise
        self._position += len(view)
        self._progress(min(self._position, self._size), self._size)
        return len(view)

    def _parts(self, view: memoryview) -> Iterator[tuple[int, memoryview]]:
        at, end = self._position, self._position + len(view)
        while at < end:
            until = min(end, (at // _HOLE + 1) * _HOLE)
            yield at, view[at - self._position : until - self._position]
            at = until

    def _put(self, start: int, part: memoryview) -> None:
        end = start + len(part)
        if start >= self._written and part == _ZEROS[: len(part)]:
            if end > self._size:
                os.ftruncate(self._descriptor, end)
            return
        done = 0
        while done < len(part):
            done += os.pwrite(self._descriptor, part[done:], start + done)
        self._written = max(self._written, end)
