# SPDX-License-Identifier: Apache-2.0
"""Discarding ranges of a file or a block device, which Python has no call for."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
import struct

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
# _IO(0x12, 119) of linux/fs.h: discard, without the promise that zeros are read afterwards.
_BLKDISCARD = 0x1277
_CANNOT = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY, errno.EPERM)
_UNIT = 4096

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def discard(descriptor: int, offset: int, length: int) -> bool:
    """Discard the whole units of 4 KiB in a range.

    :returns: whether that can be done there; else nothing was done.
    :raises OSError: the device reports an error.
    """
    first, end = whole_units(offset, offset + length)
    if first >= end:
        return True
    try:
        punch(descriptor, first, end - first)
    except OSError as exc:
        if exc.errno not in _CANNOT:
            raise
        return _discard_device(descriptor, first, end - first)
    return True


def whole_units(start: int, end: int) -> tuple[int, int]:
    """Return the part of a range that is whole units of 4 KiB; it may be empty, or negative."""
    return -(-start // _UNIT) * _UNIT, end // _UNIT * _UNIT


def punch(descriptor: int, offset: int, length: int) -> None:
    """Make a range of a file or a device read as zeros without storing any: the kernel's promise.

    :param length: bytes; on a device, as the offset, a multiple of its logical blocks.
    :raises OSError: that cannot be done there, or it failed half-way.
    """
    if _LIBC.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _discard_device(descriptor: int, offset: int, length: int) -> bool:
    if not stat.S_ISBLK(os.fstat(descriptor).st_mode):
        return False
    try:
        fcntl.ioctl(descriptor, _BLKDISCARD, struct.pack("=QQ", offset, length))
    except OSError as exc:
        if exc.errno in _CANNOT:
            return False
        raise
    return True
