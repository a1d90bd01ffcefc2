# SPDX-License-Identifier: Apache-2.0
"""Where a restore's bytes go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Protocol

Buffer = bytes | bytearray | memoryview


class Sink(Protocol):
    """A volume that is written by one thread, at offsets in any order."""

    @property
    def size(self) -> int:
        """Bytes of the volume."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Write all the buffers one after the other, the first at ``offset``."""

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, whatever was there."""

    def flush(self) -> None:
        """Return when all that was written is durable."""


class FileSink:
    """A device node or a file by its descriptor, which stays the caller's."""

    def __init__(self, fd: int, *, size: int | None = None) -> None:
        """Use the descriptor.

        :param size: bytes the volume has; a regular file that is shorter is extended to it.
        """
        raise NotImplementedError


class ObjectSink:
    """A file object without a descriptor: one call at a time, ``seek`` then ``write``."""

    def __init__(self, file: BinaryIO, *, size: int | None = None) -> None:
        raise NotImplementedError


def open_sink(file: BinaryIO, *, size: int | None = None) -> Sink:
    """Return the quickest sink for a file object: by its descriptor where it has one."""
    raise NotImplementedError
