# SPDX-License-Identifier: Apache-2.0
"""What a driver that can only restore writes to instead of a volume."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from backup_dispatch.drivers.interface import Progress


class VolumeStandIn:
    """Has a position, as a device that is open for writing, and no descriptor.

    :param size: bytes of the volume.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as in a file of the volume's size."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """The current position."""
        return self._position

    def flush(self) -> None:
        """Nothing is kept back."""

    def fileno(self) -> int:
        """None: drivers would wait for a disk; the error is one that they handle.

        :raises OSError: always.
        """
        raise OSError("what stands in for a volume has no descriptor")

    def close(self) -> None:
        """Whoever made it closes it."""


class NullVolume(VolumeStandIn):
    """Counts what is written, and discards it.

    :param size: bytes of the volume.
    :param progress: called with the bytes written so far, and the size.
    :param is_right: whether bytes are what belongs at an offset.
    :ivar wrong: what was not: offsets and lengths.
    """

    def __init__(
        self,
        size: int,
        progress: Progress,
        is_right: Callable[[int, Any], bool] = lambda _offset, _data: True,
    ) -> None:
        super().__init__(size)
        self._progress = progress
        self._is_right = is_right
        self.wrong: list[tuple[int, int]] = []
        self.written = 0

    def write(self, data: Any) -> int:
        """Count the bytes."""
        length = len(data)
        if not self._is_right(self._position, data):
            self.wrong.append((self._position, length))
        self._position += length
        self.written += length
        self._progress(self.written, self._size)
        return length
