# SPDX-License-Identifier: Apache-2.0
"""A volume of the contract's own cloud, as Cinder passes it to a driver."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any


class Device(io.FileIO):
    """A file that behaves like a block device: its size is fixed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "r+b")
        self._size = os.fstat(self.fileno()).st_size

    def write(self, data: Any) -> int:
        """Write at the position.

        :raises OSError: past the end.
        """
        if self.tell() + len(data) > self._size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
        return super().write(data)

    def truncate(self, _size: int | None = None) -> int:
        """Change nothing, like a device."""
        return self._size
