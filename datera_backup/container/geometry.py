# SPDX-License-Identifier: Apache-2.0
"""How a source is cut into blocks and chunks, and what a backup of it may need at most."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from datera_backup.container.device import Buffer
from datera_backup.container.optional import package

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

ALIGNMENT = 4096
"""Every record of the log begins at a multiple of this many bytes."""

SLOT_SIZE = MIB
"""Bytes set aside for each of the two superblocks, which lie at 0 and at this offset."""

LOG_START = 2 * SLOT_SIZE
"""Where the first record of the log begins."""

RECORD_HEADER_SIZE = 96
"""Bytes before the payload of a record."""

DIGEST_SIZE = 32
"""Bytes of a block's digest, and of every checksum in the format."""

DEFAULT_SEGMENT_SIZE = 8 * MIB
"""Bytes of compressed blocks that are written at a time."""

METADATA_LIMIT = MIB
"""Bytes that a backup's metadata may take as JSON."""

_MIN_BLOCK = 4 * KIB
_MAX_BLOCK = 16 * MIB
_MAX_CHUNK_BLOCKS = 1 << 24
_COLUMNS_SIZE = 1 + 2 + 8 + 4 + DIGEST_SIZE
_TABLE_ALLOWANCE = 256 * 16
_COMMIT_ALLOWANCE = ALIGNMENT


class Digest(IntEnum):
    """Which cryptographic digest identifies a block; the numbers are those of the format."""

    SHA256 = 1
    BLAKE3 = 2


@dataclass(frozen=True)
class Geometry:
    """What all backups of a chain share, because blocks are inherited from place to place.

    :param block_size: bytes of the source in one block, a power of two from 4 KiB to 16 MiB.
    :param chunk_size: bytes of the source that one manifest describes, a multiple of it.
    :param digest: what identifies a block.
    :raises ValueError: a size is out of its bounds.
    """

    block_size: int = 64 * KIB
    chunk_size: int = GIB
    digest: Digest = Digest.SHA256

    def __post_init__(self) -> None:
        size = self.block_size
        if not _MIN_BLOCK <= size <= _MAX_BLOCK or size & (size - 1):
            raise ValueError(f"block size {size} is not a power of two from 4 KiB to 16 MiB")
        if self.chunk_size <= 0 or self.chunk_size % size:
            raise ValueError(f"chunk size {self.chunk_size} is not a multiple of {size}")
        if self.blocks_per_chunk > _MAX_CHUNK_BLOCKS:
            raise ValueError(f"a chunk of {self.chunk_size} has too many blocks of {size}")

    @property
    def blocks_per_chunk(self) -> int:
        """Blocks that a whole chunk has."""
        return self.chunk_size // self.block_size

    def blocks(self, source_size: int) -> int:
        """Blocks that a source has; the last one may be shorter than the others."""
        return -(-source_size // self.block_size)

    def chunks(self, source_size: int) -> int:
        """Chunks that a source has; the last one may have fewer blocks than the others."""
        return -(-source_size // self.chunk_size)

    def blocks_in_chunk(self, source_size: int, chunk: int) -> int:
        """Blocks that one chunk of a source has."""
        return min(self.blocks_per_chunk, self.blocks(source_size) - chunk * self.blocks_per_chunk)

    def length_of(self, source_size: int, block: int) -> int:
        """Bytes that one block of a source has."""
        return min(self.block_size, source_size - block * self.block_size)


def digest_function(digest: Digest) -> Callable[[Buffer], bytes]:
    """Return what computes a block's digest.

    :raises PackageMissing: it needs a package that is not installed.
    """
    if digest is Digest.SHA256:
        sha256 = hashlib.sha256
        return lambda data: sha256(data).digest()
    blake3 = package("blake3", "digests of the kind BLAKE3").blake3
    return lambda data: blake3(data).digest()


def padded(length: int) -> int:
    """Round up to the alignment of records."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def worst_case(
    source_size: int, geometry: Geometry, *, segment_size: int = DEFAULT_SEGMENT_SIZE
) -> int:
    """Return the bytes of log that a backup may need at most.

    That is a full one of incompressible data, or an incremental where all has changed, whose chain
    spans at most 256 containers.

    :param segment_size: the same as is given to ``Container.begin``.
    """
    blocks = geometry.blocks(source_size)
    chunks = geometry.chunks(source_size)
    room = segment_room(segment_size, geometry) - geometry.block_size
    segments = min(blocks, source_size // room + chunks) if room > 0 else blocks
    per_record = RECORD_HEADER_SIZE + ALIGNMENT
    log = source_size + segments * per_record
    manifests = blocks * _COLUMNS_SIZE + chunks * (per_record + 16 + _TABLE_ALLOWANCE)
    commit = per_record + _COMMIT_ALLOWANCE + _TABLE_ALLOWANCE + chunks * 48 + METADATA_LIMIT
    return padded(log + manifests + commit)


def segment_room(segment_size: int, geometry: Geometry) -> int:
    """Return the bytes of blocks that a segment takes: always one block at least."""
    return max(segment_size - RECORD_HEADER_SIZE, geometry.block_size)
