# SPDX-License-Identifier: Apache-2.0
"""Volumes' and snapshots' bytes: sparse files, copied by sharing blocks where possible."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

_FICLONE = 0x40049409
_CHUNK = 1 << 24
# The errors of kernels, file systems and sandboxes for a system call that is not supported.
_NOT_HERE = (
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EXDEV,
)


class DataFiles:
    """The sparse files under one directory, named by random names that are never used twice."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return the path of the file of this name."""
        return self._directory / name[:2] / name

    def create(self, size: int) -> str:
        """Make a file of ``size`` bytes without any data, and return its name.

        :raises OSError: the file system refused it.
        """
        name = uuid.uuid4().hex
        path = self.path(name)
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            file.truncate(size)
        return name

    def copy(self, source: str, size: int) -> str:
        """Copy a file into a new one of ``size`` bytes (not less than the source's).

        :raises OSError: the file system refused it; nothing is left behind.
        """
        name = self.create(0)
        try:
            with self.path(source).open("rb") as old, self.path(name).open("r+b") as new:
                clone_range(old.fileno(), new.fileno())
                new.truncate(size)
        except BaseException:
            self.delete(name)
            raise
        return name

    def resize(self, name: str, size: int) -> None:
        """Give a file its new size.

        :raises OSError: the file system refused it.
        """
        os.truncate(f"{self._directory}/{name[:2]}/{name}", size)

    def delete(self, name: str) -> None:
        """Remove a file if it exists."""
        self.path(name).unlink(missing_ok=True)

    def used(self, name: str) -> int:
        """Return how many bytes the file occupies on disk."""
        try:
            # Called for each volume of a cluster at once: pathlib would take most of the time.
            return os.stat(f"{self._directory}/{name[:2]}/{name}").st_blocks * 512
        except FileNotFoundError:
            return 0

    def names(self) -> Iterator[str]:
        """Yield the name of each existing file."""
        for folder in self._directory.iterdir():
            if folder.is_dir():
                yield from (path.name for path in folder.iterdir())


def clone_range(source: int, target: int) -> None:
    """Copy all of one open file into another, holes as holes, sharing blocks where possible.

    :raises OSError: reading or writing failed.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
        return
    except OSError as exc:
        if exc.errno not in _NOT_HERE:
            raise
    end = os.fstat(source).st_size
    os.ftruncate(target, end)
    for start, stop in _extents(source, end):
        offset = start
        while offset < stop:
            done = _copy_piece(source, target, min(_CHUNK, stop - offset), offset)
            if done == 0:
                raise OSError(errno.EIO, "the source was truncated while it was copied")
            offset += done


def _copy_piece(source: int, target: int, length: int, offset: int) -> int:
    """Copy up to ``length`` bytes from and to one offset, and return how many it were."""
    try:
        # It may share blocks where the ioctl could not, and never copies through this process.
        return os.copy_file_range(source, target, length, offset, offset)
    except OSError as exc:
        if exc.errno not in _NOT_HERE:
            raise
    return os.pwrite(target, os.pread(source, length, offset), offset)


def _extents(descriptor: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each run of data."""
    stop = 0
    while stop < end:
        try:
            start = os.lseek(descriptor, stop, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:  # only a hole up to the end
                return
            raise
        stop = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, stop
