# SPDX-License-Identifier: Apache-2.0
"""The descriptor of a file object."""

from __future__ import annotations

import os
from typing import BinaryIO


def has_descriptor(file: BinaryIO) -> bool:
    """Say whether a file object has a descriptor; that of a Ceph image, for one, has none."""
    try:
        fd = file.fileno()
    except (AttributeError, OSError):
        return False
    return isinstance(fd, int) and fd >= 0


def size_of(fd: int) -> int:
    """Return the bytes of a device or a file, and leave its position where it was."""
    position = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    finally:
        os.lseek(fd, position, os.SEEK_SET)


def object_size(file: BinaryIO) -> int:
    """Return the bytes of a file object, and leave its position where it was."""
    position = file.tell()
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(position)
    return size
