# SPDX-License-Identifier: Apache-2.0
"""What the volume holds on each day that a backup is taken of it."""

from __future__ import annotations

import random
from functools import cache

BLOCK = 2**16
BLOCKS = 8
"""Of a volume."""

CHANGED = ((0, 2, 3, 5), (3, 4), (0, 7), (1, 3))
"""Which blocks of the volume are written before each day's backup; 5 is compressible."""


@cache
def content_of(day: int) -> bytes:
    """Return what the volume holds on a day."""
    content = bytearray(BLOCK * BLOCKS)
    for earlier in range(day + 1):
        for block in CHANGED[earlier]:
            noise = random.Random(100 * earlier + block)
            data = noise.randbytes(BLOCK) if block != 5 else noise.randbytes(64) * (BLOCK // 64)
            content[block * BLOCK : (block + 1) * BLOCK] = data
    return bytes(content)
