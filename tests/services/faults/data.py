# SPDX-License-Identifier: Apache-2.0
"""The bytes of volumes: written and compared without reading holes."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

MIB = 2**20
PIECE = 64 * 2**10
GIB = 2**30


def scatter(path: Path, chance: random.Random, pieces: int) -> None:
    """Write that many pieces of up to a megabyte at random places, some of them of zeros."""
    with path.open("r+b") as file:
        for _ in range(pieces):
            size = chance.randrange(1, 257) * 4096
            file.seek(chance.randrange(GIB // 4096 - 256) * 4096)
            file.write(bytes(size) if chance.random() < 0.2 else chance.randbytes(size))


def digest(path: Path) -> str:
    """Return a digest of what is not zero, and of where it is."""
    found = hashlib.blake2b()
    with path.open("rb") as file:
        for start, end in _data(file.fileno()):
            for offset in range(start - start % PIECE, end, PIECE):
                piece = os.pread(file.fileno(), PIECE, offset)
                if piece.count(0) < len(piece):
                    found.update(offset.to_bytes(8, "little") + piece)
    return found.hexdigest()


def _data(descriptor: int) -> Iterator[tuple[int, int]]:
    done = 0
    while True:
        try:
            start = os.lseek(descriptor, done, os.SEEK_DATA)
        except OSError as no_more:
            if no_more.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        # A piece that is in two extents is digested once.
        start = max(start - start % PIECE, done)
        done = -(-end // PIECE) * PIECE
        yield start, done
