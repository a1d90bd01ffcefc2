# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers, little endian on the device whatever the machine is."""

from __future__ import annotations

import sys
from array import array


def column(typecode: str, raw: bytes) -> array[int]:
    """Read a column; ``typecode`` as :mod:`array` has them."""
    numbers = array(typecode, raw)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def little_endian(numbers: array[int]) -> bytes:
    """Return a column's bytes as they are stored."""
    return column(numbers.typecode, numbers.tobytes()).tobytes()
