# SPDX-License-Identifier: Apache-2.0
"""The filesystem: one folder, and in it the volume as a file that can only be read."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from datetime import datetime

from backup_dispatch.drivers.interface import BackupData, MissingRange
from backup_dispatch.errors import DispatchError, reason_of

FILE = "volume.raw"
"""The file's name."""

_PATH = f"/{FILE}"
_SECTOR = 512
_MOST_FINDINGS = 1000
_NANOSECONDS = 10**9

CLOSING_SECONDS = 60.0
"""How long a backend may take to answer the last read before it is left behind."""


class VolumeFilesystem:
    """What FUSE asks for, by the names of mfusepy; called from several threads at once.

    A read of a damaged block is an I/O error, and so is one that the backend does not answer. Each
    finding is reported once; the kernel asks again for what failed.

    :param data: the opened backup, which stays the caller's.
    :param made: the time of the data.
    :param report: called with each finding, one line.
    :ivar ready: called once the filesystem is mounted.
    :ivar damage: what of the data is damaged, of what was read; one line each.
    :ivar unknown: why something could not be read, one line each.
    :ivar read_bytes: bytes that were read.
    :ivar is_mounted: whether it ever was.
    """

    use_ns = True
    """Times are in nanoseconds; mfusepy asks for it."""

    def __init__(
        self,
        data: BackupData,
        made: datetime,
        report: Callable[[str], None],
    ) -> None:
        self._data = data
        self._report = report
        self.ready: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._counter = threading.Thread(target=self._count, daemon=True)
        # Until it is known how much is there, nothing is said to be a hole: tar and others take a
        # file without any blocks for empty.
        self._blocks = -(-data.size // _SECTOR)
        self._time = int(made.timestamp() * _NANOSECONDS)
        self.damage: list[str] = []
        self.unknown: list[str] = []
        self.read_bytes = 0
        self.is_mounted = False

    def close(self) -> None:
        """End what still reads from the data, unless the backend does not answer."""
        self._closing.set()
        if self._counter.is_alive():
            self._counter.join(CLOSING_SECONDS)

    # What FUSE asks for

    def init(self, _path: str) -> None:
        """The filesystem is mounted."""
        self.is_mounted = True
        self._counter.start()
        self.ready()

    def getattr(self, path: str, _handle: int | None = None) -> dict[str, int]:
        """What ``stat`` shows."""
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o500, "st_nlink": 2, **self._common()}
        self._require_file(path)
        return {
            "st_mode": stat.S_IFREG | 0o400,
            "st_nlink": 1,
            "st_size": self._data.size,
            "st_blocks": self._blocks,
            **self._common(),
        }

    def readdir(self, _path: str, _handle: int) -> list[str]:
        """What ``ls`` shows."""
        return [".", "..", FILE]

    def open(self, path: str, flags: int) -> int:
        """Open the file for reading."""
        self._require_file(path)
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return 0

    def read(self, path: str, size: int, offset: int, _handle: int) -> bytes:
        """Bytes of the volume.

        :raises OSError: one of them is damaged, or cannot be read.
        """
        self._require_file(path)
        buffer = bytearray(max(0, min(size, self._data.size - offset)))
        if not buffer:
            return b""
        try:
            missing = self._data.read_into(offset, memoryview(buffer))
        except Exception as error:
            self._find(self.unknown, _text_of(error))
            raise _io_error() from error
        if missing:
            for one in missing:
                self._find(self.damage, _line_of(one))
            # Not the other bytes: the kernel asks for the page that somebody wants by itself.
            raise _io_error()
        with self._lock:
            self.read_bytes += len(buffer)
        return bytes(buffer)

    def statfs(self, _path: str) -> dict[str, int]:
        """What ``df`` shows: it is full."""
        return {"f_bsize": _SECTOR, "f_frsize": _SECTOR, "f_blocks": self._blocks, "f_files": 1}

    # How much there is

    def _count(self) -> None:
        held = 0
        try:
            for _offset, length in self._data.extents():
                held += length
                if self._closing.is_set():
                    return
        except Exception as error:
            self._find(self.unknown, _text_of(error))
            return
        self._blocks = -(-held // _SECTOR)

    def _common(self) -> dict[str, int]:
        return {
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
            "st_mtime": self._time,
            "st_ctime": self._time,
            "st_atime": self._time,
        }

    @staticmethod
    def _require_file(path: str) -> None:
        if path != _PATH:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _find(self, found: list[str], line: str) -> None:
        with self._lock:
            if line in found or len(found) >= _MOST_FINDINGS:
                return
            found.append(line)
        self._report(line)


def _io_error() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


def _line_of(one: MissingRange) -> str:
    return f"Bytes {one.offset} to {one.offset + one.length} are damaged: {one.reason}"


def _text_of(error: Exception) -> str:
    return error.full_text if isinstance(error, DispatchError) else reason_of(error)
