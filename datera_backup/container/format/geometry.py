# SPDX-License-Identifier: Apache-2.0
"""How a source is cut into blocks and chunks, and what a backup of it may need at most."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from datera_backup.container.device import Buffer
from datera_backup.container.format.optional import package

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

ALIGNMENT = 4096
"""What is written at a time begins at a multiple of this many bytes of the log."""

PAGE_ALIGNMENT = 512
"""Every record begins at a multiple of this many bytes."""

SLOT_SIZE = MIB
"""Bytes reserved for each of the two superblocks."""

SLOT_DISTANCE = 2 * MIB
"""How far the second superblock lies behind the first, which lies at 0."""

LOG_START = 4 * MIB
"""Where the first record of the log begins."""

AREA_SIZE = MIB
"""Bytes of a metadata area; no record in it can be longer."""

COPY_DISTANCE = 2 * MIB
"""How far the copy of a record in a metadata area lies behind it."""

AREA_END = COPY_DISTANCE + AREA_SIZE
"""How far the log goes on behind the beginning of a metadata area."""

RECORD_HEADER_SIZE = 128
"""Bytes before the payload of a record."""

DIGEST_SIZE = 32
"""Bytes of a block's digest, and of every checksum in the format."""

DEFAULT_SEGMENT_SIZE = 8 * MIB
"""Bytes of compressed blocks that are written at a time."""

CHUNK_BLOCKS = 256
"""Blocks of a chunk by default."""

METADATA_LIMIT = 768 * KIB
"""Bytes that a backup's metadata may take as JSON."""

MOST_CONTAINERS = 2048
"""Containers that one backup's blocks may lie in."""

_MIN_BLOCK = 4 * KIB
_MAX_BLOCK = 16 * MIB
_MAX_CHUNK_BLOCKS = 4096


class Digest(IntEnum):
    """Which cryptographic digest identifies a block; the numbers are those of the format."""

    SHA256 = 1
    BLAKE3 = 2


@dataclass(frozen=True)
class Geometry:
    """What all backups of a chain share, because blocks are inherited from place to place.

    :param block_size: bytes of the source in one block, a power of two from 4 KiB to 16 MiB.
    :param chunk_size: bytes of the source that one manifest describes, a multiple of it; at most
        4096 blocks.
    :param digest: what identifies a block.
    :raises ValueError: a size is out of its bounds.
    """

    block_size: int = 64 * KIB
    chunk_size: int = CHUNK_BLOCKS * 64 * KIB
    digest: Digest = Digest.BLAKE3

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


def aligned(length: int) -> int:
    """Round up to where the next record may begin."""
    return -(-length // PAGE_ALIGNMENT) * PAGE_ALIGNMENT
