# SPDX-License-Identifier: Apache-2.0
"""Telling blocks of zeros from others, while other threads of the process go on."""

from __future__ import annotations

import ctypes

# A call of a library's function does not hold the interpreter's lock; a comparison in Python does.
_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_memcmp.restype = ctypes.c_int

_HEAD = 256
# Comparing a bytearray is the quickest test for a few zeros there is: it ends in memcmp itself.
_zeros = bytearray(_HEAD)


def is_zero(data: memoryview) -> bool:
    """Whether all bytes are zero.

    :param data: can be written to, or its address is not known.
    """
    head = data[:_HEAD]
    if len(head) < _HEAD:
        return bytearray(len(head)) == head
    if _zeros != head:
        return False
    address = ctypes.addressof(ctypes.c_char.from_buffer(data))
    # What begins with zeros and equals itself from the next byte on has nothing else.
    return bool(_memcmp(address, address + 1, len(data) - 1) == 0)
