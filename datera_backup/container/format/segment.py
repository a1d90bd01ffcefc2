# SPDX-License-Identifier: Apache-2.0
"""A segment's trailer: which blocks are in it, and which have become zero.

Manifests say it too; this is for reading without them.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from itertools import accumulate

from datera_backup.container.format.codec import Undecodable, pack_payload, unpack_payload
from datera_backup.container.format.columns import column, little_endian
from datera_backup.container.format.geometry import DIGEST_SIZE

_HEAD = struct.Struct("<IIB3xI")
_RUN = struct.Struct("<QQ")
ROW_SIZE = 8 + 1 + 4 + DIGEST_SIZE
ZEROED_SIZE = _RUN.size

MOST_BLOCKS = 1 << 18
"""Blocks of a segment at most."""

MOST_RUNS = 1 << 14
"""Runs of a segment at most."""

MAX_TRAILER = _HEAD.size + MOST_BLOCKS * ROW_SIZE + MOST_RUNS * ZEROED_SIZE
"""Bytes that say what is in a segment, at most."""


@dataclass(frozen=True)
class Contents:
    """The blocks of one segment, in the order in which they lie, in columns.

    :param numbers: counted from the start of the source.
    :param zeroed: runs of blocks (the first, how many) that are zero now and were not in the
        parent.
    """

    numbers: array[int]
    codecs: bytes
    lengths: array[int]
    digests: bytes
    zeroed: tuple[tuple[int, int], ...] = ()

    @property
    def starts(self) -> list[int]:
        """For each block, how many bytes lie in the segment's payload before it."""
        return list(accumulate(self.lengths, initial=0))[:-1]

    def digest(self, row: int) -> bytes:
        """Return the digest of one of the blocks."""
        return self.digests[row * DIGEST_SIZE : (row + 1) * DIGEST_SIZE]


def encode(contents: Contents) -> bytes:
    """Return what lies behind a segment's payload."""
    plain = b"".join(
        [
            little_endian(contents.numbers),
            contents.codecs,
            little_endian(contents.lengths),
            contents.digests,
            *(_RUN.pack(*run) for run in contents.zeroed),
        ]
    )
    codec, packed = pack_payload(plain)
    head = _HEAD.pack(len(contents.numbers), len(contents.zeroed), codec, len(plain))
    return head + packed


def decode(raw: bytes) -> Contents:
    """Read what lies behind a segment's payload, whose checksum was found right.

    :raises ValueError: it does not hold what its own numbers say.
    """
    if len(raw) < _HEAD.size:
        raise ValueError("it is too short")
    blocks, runs, codec, length = _HEAD.unpack_from(raw)
    if blocks > MOST_BLOCKS or runs > MOST_RUNS:
        raise ValueError(f"it claims to hold {blocks} blocks and {runs} runs of zeros")
    if length != blocks * ROW_SIZE + runs * _RUN.size:
        raise ValueError("its length does not match its counts")
    try:
        plain = unpack_payload(codec, raw[_HEAD.size :], length)
    except Undecodable as exc:
        raise ValueError(str(exc)) from exc
    codecs_at = blocks * 8
    lengths_at = codecs_at + blocks
    digests_at = lengths_at + blocks * 4
    runs_at = digests_at + blocks * DIGEST_SIZE
    return Contents(
        numbers=column("Q", plain[:codecs_at]),
        codecs=plain[codecs_at:lengths_at],
        lengths=column("I", plain[lengths_at:digests_at]),
        digests=plain[digests_at:runs_at],
        zeroed=tuple(_RUN.iter_unpack(plain[runs_at:])),
    )
