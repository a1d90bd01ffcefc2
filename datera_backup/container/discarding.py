# SPDX-License-Identifier: Apache-2.0
"""Giving back room of a file or a block device, which Python has no call for."""

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
    """Give back the whole units of 4 KiB in a range.

    :returns: whether that can be done there; else nothing was done.
    :raises OSError: the device reports an error.
    """
    first = -(-offset // _UNIT) * _UNIT
    end = (offset + length) // _UNIT * _UNIT
    if first >= end:
        return True
    if _LIBC.fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, first, end - first) == 0:
        return True
    error = ctypes.get_errno()
    if error not in _CANNOT:
        raise OSError(error, os.strerror(error))
    return _discard_device(descriptor, first, end - first)


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
