# SPDX-License-Identifier: Apache-2.0
"""The list of sha256 digests that a chunked driver keeps of each block of a volume."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

DIGEST_SIZE = 32

# No text of a user can look like this: within a JSON string quotes are escaped.
_LIST = re.compile(rb'"sha256s"\s*:\s*(\[[^\]]*\])')
_DIGEST = re.compile(rb'"([0-9a-f]{64})"')


class NoDigests(Exception):
    """The data is not a list of digests."""


@dataclass(frozen=True)
class Digests:
    """The digests of all blocks of a volume, in order.

    :ivar block_size: bytes of a block.
    :ivar packed: the digests, 32 bytes each: a list of strings would take four times the memory.
    """

    block_size: int
    packed: bytes

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return len(self.packed) // DIGEST_SIZE

    def first_wrong(self, offset: int, data: bytes | bytearray) -> int | None:
        """The offset of the first block of ``data`` whose digest does not match.

        :param offset: the data's position in the volume; at the beginning of a block.
        """
        view = memoryview(data)
        for start in range(0, len(view), self.block_size):
            at = (offset + start) // self.block_size * DIGEST_SIZE
            digest = hashlib.sha256(view[start : start + self.block_size]).digest()
            if digest != self.packed[at : at + DIGEST_SIZE]:
                return offset + start
        return None

    def at(self, block: int) -> bytes:
        """The digest of one block."""
        return self._slice(block, block + 1)

    def first_difference(self, other: Digests, covered: Iterable[tuple[int, int]]) -> int | None:
        """The offset of the first block that differs from ``other``'s and is not covered.

        :param covered: offsets and lengths, in ascending order.
        """
        begin = 0
        for offset, length in [*covered, (self.blocks * self.block_size, 0)]:
            end = offset // self.block_size
            if self._slice(begin, end) != other._slice(begin, end):
                for block in range(begin, end):
                    if self._slice(block, block + 1) != other._slice(block, block + 1):
                        return block * self.block_size
            begin = max(begin, -(-(offset + length) // self.block_size))
        return None

    def _slice(self, begin: int, end: int) -> bytes:
        return self.packed[begin * DIGEST_SIZE : end * DIGEST_SIZE]


def read_digests(text: bytes) -> Digests:
    """Read what a chunked driver wrote.

    :raises NoDigests: it is something else.
    """
    found = _LIST.search(text)
    if found is None:
        raise NoDigests("it has no list of digests")
    begin, end = found.span(1)
    try:
        rest = json.loads(text[:begin] + b"[]" + text[end:])
        block_size = int(rest["chunk_size"])
    except (ValueError, KeyError, TypeError) as error:
        raise NoDigests(f"it cannot be read: {error}") from error
    packed = bytearray()
    for digest in _DIGEST.finditer(text, begin, end):
        packed += bytes.fromhex(digest[1].decode())
    if block_size <= 0 or len(packed) != DIGEST_SIZE * _entries(text, begin, end):
        raise NoDigests("it has something between its digests")
    return Digests(block_size, bytes(packed))


def _entries(text: bytes, begin: int, end: int) -> int:
    commas = text.count(b",", begin, end)
    return commas + 1 if commas or text.count(b'"', begin, end) else 0
