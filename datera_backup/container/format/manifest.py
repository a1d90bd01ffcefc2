# SPDX-License-Identifier: Apache-2.0
"""A chunk's manifest: for each block whether it is zero, or where it lies."""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID

from datera_backup.container.format.codec import Codec
from datera_backup.container.format.columns import column, little_endian
from datera_backup.container.format.geometry import DIGEST_SIZE, MOST_CONTAINERS
from datera_backup.container.format.log_record import RecordRef

_HEAD = struct.Struct("<IIH6x")
_IS_STORED = bytes([0]) + bytes([1]) * 255
_UUID_SIZE = 16
_ZEROS = re.compile(rb"\0+")


class BlockLocation(NamedTuple):
    """Where a block's stored bytes lie.

    :param container: its index in the manifest's table of containers.
    """

    container: int
    offset: int
    length: int
    codec: int


@dataclass(frozen=True)
class ChunkMap:
    """A chunk's manifest, in columns: one row a block in ``codecs``, one a stored block elsewhere.

    :param home: the container that the manifest lies in.
    :param ref: where it lies there.
    :param containers: what the column ``indices`` counts.
    :param rows: for each block, how many stored ones come before it.
    """

    home: UUID
    ref: RecordRef
    number: int
    containers: tuple[UUID, ...]
    codecs: bytes
    indices: array[int]
    offsets: array[int]
    lengths: array[int]
    digests: bytes
    rows: array[int]

    @property
    def block_count(self) -> int:
        """Blocks of the chunk."""
        return len(self.codecs)

    @property
    def stored_count(self) -> int:
        """Blocks that are not zero."""
        return len(self.offsets)

    def digest(self, position: int) -> bytes | None:
        """Return a block's digest; None where it is zero or beyond the chunk's last block."""
        if position >= len(self.codecs) or not self.codecs[position]:
            return None
        start = self.rows[position] * DIGEST_SIZE
        return self.digests[start : start + DIGEST_SIZE]

    def length(self, position: int) -> int:
        """Return how many bytes a block takes that is not zero."""
        return self.lengths[self.rows[position]]

    def without(self, distrusted: Callable[[UUID, int], bool]) -> ChunkMap:
        """Return the same without the digests of blocks that are not to be inherited.

        :param distrusted: tells it of the block at an offset of a container.
        """
        digests = bytearray(self.digests)
        for row, (container, offset) in enumerate(zip(self.indices, self.offsets, strict=True)):
            if distrusted(self.containers[container], offset):
                digests[row * DIGEST_SIZE : (row + 1) * DIGEST_SIZE] = bytes(DIGEST_SIZE)
        return replace(self, digests=bytes(digests))

    def location(self, position: int) -> BlockLocation:
        """Return where a block lies that is not zero."""
        row = self.rows[position]
        return BlockLocation(
            self.indices[row], self.offsets[row], self.lengths[row], self.codecs[position]
        )


class ManifestBuilder:
    """A chunk's manifest while its blocks come in, one after the other."""

    def __init__(self, home: UUID) -> None:
        self._indices_of: dict[UUID, int] = {home: 0}
        self._codecs = bytearray()
        self._indices = array("H")
        self._offsets = array("Q")
        self._lengths = array("I")
        self._digests = bytearray()

    @property
    def block_count(self) -> int:
        """Blocks that came in."""
        return len(self._codecs)

    @property
    def stored_count(self) -> int:
        """Blocks that are not zero."""
        return len(self._offsets)

    @property
    def containers(self) -> tuple[UUID, ...]:
        """The containers that hold blocks of the chunk, the manifest's own always the first."""
        return tuple(self._indices_of)

    def zeros(self, count: int) -> None:
        """Take blocks that are all zero."""
        self._codecs += bytes(count)

    def add(self, container: UUID, offset: int, length: int, codec: int, digest: bytes) -> None:
        """Take a stored block."""
        index = self._indices_of.setdefault(container, len(self._indices_of))
        self._codecs.append(codec)
        self._indices.append(index)
        self._offsets.append(offset)
        self._lengths.append(length)
        self._digests += digest

    def inherit(self, chunk: ChunkMap, first: int, count: int) -> None:
        """Take neighbouring blocks from where they lie, none of them zero, column by column.

        :raises ValueError: one of them is zero.
        """
        row = chunk.rows[first]
        end = row + count
        if chunk.rows[first + count : first + count + 1] != array("I", [end]):
            raise ValueError(
                f"Chunk {chunk.number} does not have {count} stored blocks from {first} on."
            )
        self._codecs += chunk.codecs[first : first + count]
        indices = chunk.indices[row:end]
        for index in set(indices):
            container = chunk.containers[index]
            self._indices_of.setdefault(container, len(self._indices_of))
        own = [self._indices_of.get(container, 0) for container in chunk.containers]
        self._indices.extend(own[index] for index in indices)
        self._offsets += chunk.offsets[row:end]
        self._lengths += chunk.lengths[row:end]
        self._digests += chunk.digests[row * DIGEST_SIZE : end * DIGEST_SIZE]

    def zero_runs(self, unless_zero_in: bytes = b"") -> Iterator[tuple[int, int]]:
        """Yield the ranges (first, end) of blocks that are zero.

        :param unless_zero_in: codecs of the same blocks elsewhere, as many as there are; those that
            are zero there too are left out.
        """
        if not unless_zero_in:
            return zero_runs(bytes(self._codecs))
        others = unless_zero_in.ljust(len(self._codecs), b"\1")
        both = (own if other else 1 for own, other in zip(self._codecs, others, strict=False))
        return zero_runs(bytes(both))

    def payload(self) -> bytes:
        """Return the payload of the manifest's record."""
        return b"".join(
            [
                _HEAD.pack(self.block_count, self.stored_count, len(self._indices_of)),
                *(container.bytes for container in self._indices_of),
                self._codecs,
                little_endian(self._indices),
                little_endian(self._offsets),
                little_endian(self._lengths),
                self._digests,
            ]
        )


def zero_runs(codecs: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges (first, end) of blocks that are zero."""
    for match in _ZEROS.finditer(codecs):
        yield match.span()


def max_payload(blocks: int) -> int:
    """Return how many plain bytes the manifest of a chunk of so many blocks has at most."""
    columns = 1 + 2 + 8 + 4 + DIGEST_SIZE
    return _HEAD.size + MOST_CONTAINERS * _UUID_SIZE + blocks * columns


def decode(payload: bytes, home: UUID, ref: RecordRef, number: int) -> ChunkMap:
    """Read a manifest's payload, whose checksum was found right.

    :raises ValueError: it does not hold what its own numbers say.
    """
    if len(payload) < _HEAD.size:
        raise ValueError("it is too short")
    blocks, stored, containers = _HEAD.unpack_from(payload)
    columns = _Columns(payload, _HEAD.size)
    table = columns.take(containers * _UUID_SIZE)
    codecs = columns.take(blocks)
    indices = column("H", columns.take(stored * 2))
    offsets = column("Q", columns.take(stored * 8))
    lengths = column("I", columns.take(stored * 4))
    digests = columns.take(stored * DIGEST_SIZE)
    if not columns.at_end or not containers:
        raise ValueError("its length does not match its counts")
    if blocks - codecs.count(Codec.ZERO) != stored or max(indices, default=0) >= containers:
        raise ValueError("its columns contradict one another")
    ids = (UUID(bytes=table[at : at + _UUID_SIZE]) for at in range(0, len(table), _UUID_SIZE))
    return ChunkMap(
        home=home,
        ref=ref,
        number=number,
        containers=tuple(ids),
        codecs=codecs,
        indices=indices,
        offsets=offsets,
        lengths=lengths,
        digests=digests,
        rows=array("I", accumulate(codecs.translate(_IS_STORED), initial=0)),
    )


class _Columns:
    """Takes a payload apart from its front to its end."""

    def __init__(self, payload: bytes, at: int) -> None:
        self._payload = payload
        self._at = at

    def take(self, length: int) -> bytes:
        part = self._payload[self._at : self._at + length]
        if len(part) != length:
            raise ValueError("it is too short")
        self._at += length
        return part

    @property
    def at_end(self) -> bool:
        return self._at == len(self._payload)
