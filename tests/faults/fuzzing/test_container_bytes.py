# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes a record has under a right checksum, only what its readers expect comes out."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from functools import cache
from uuid import UUID

import pytest

from datera_backup.container import ContainerError
from datera_backup.container.format import commit, index, log_record, manifest, segment, superblock
from datera_backup.container.format.codec import Decompressor
from datera_backup.container.format.geometry import (
    AREA_SIZE,
    DIGEST_SIZE,
    RECORD_HEADER_SIZE,
    SLOT_SIZE,
)
from datera_backup.container.format.log_record import RecordRef
from tests.fixtures.faults.extent import amount
from tests.fixtures.faults.fuzzing import MIB, RUNS, Prepare, fuzz
from tests.fixtures.faults.mutating import mutated_bytes
from tests.fuzzing.forging import BASES, BOMBS, bomb, parts

NAMES = [name for names in BASES.values() for name in names]
REF = RecordRef(4 << 20, 4096, bytes(DIGEST_SIZE))
BLOCK = 4096
BLOCKS_OF_A_CHUNK = 4096


@cache
def payloads(kind: bytes) -> list[bytes]:
    """Return the plain payloads of the golden containers' records of a kind."""
    return [node.plain for name in NAMES for node in parts(name).nodes if node.kind == kind]


@cache
def superblocks() -> list[bytes]:
    """Return the golden containers' superblocks."""
    found = []
    for name in NAMES:
        content = parts(name).content
        found.append(content[: superblock.length_of(content[: superblock.HEAD_SIZE])])
    return found


@cache
def trailers() -> list[bytes]:
    """Return what lies behind the golden containers' segments."""
    return [trailer for name in NAMES for _, _, trailer in parts(name).segments]


@cache
def stored_records() -> list[bytes]:
    """Return the golden containers' metadata records as they are stored."""
    found = []
    for name in NAMES:
        content = parts(name).content
        for node in parts(name).nodes:
            (length,) = struct.unpack_from("<I", node.fields, 64)
            found.append(content[node.offset : node.offset + RECORD_HEADER_SIZE + length])
    return found


def of(corpus: Callable[[], list[bytes]], work: Callable[[bytes], object], most: int) -> Prepare:
    """Return what decodes a mutation of something in a corpus.

    :param most: bytes that the plain contents of it may have; the bound is four times that, and 64
        for each byte of the input.
    """

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        data = mutated_bytes(rng, rng.choice(corpus()))
        return 4 * most + 64 * len(data) + MIB, lambda: work(data)

    return prepare


def superblock_of(data: bytes) -> object:
    """Read a superblock as a slot's reader does, its checksum made right."""
    raw = bytearray(data.ljust(superblock.HEAD_SIZE, b"\0"))
    length = superblock.length_of(bytes(raw[: superblock.HEAD_SIZE]))
    if not length:
        return None
    raw = raw[:length].ljust(length, b"\0")
    raw[96:128] = bytes(DIGEST_SIZE)
    raw[96:128] = hashlib.sha256(raw).digest()
    return superblock.decode(bytes(raw))


def payload_of(data: bytes) -> object:
    """Read a record's payload, as its readers do once its checksum was found right."""
    return log_record.payload_of(data.ljust(RECORD_HEADER_SIZE, b"\0"), AREA_SIZE)


def block_of(data: bytes) -> object:
    """Decompress a stored block whose first byte is its codec."""
    return Decompressor().decompress(data[0] % 6 if data else 0, data[1:], BLOCK)


@cache
def stored_blocks() -> list[bytes]:
    """Return blocks of all codecs, each behind the number of its codec."""
    rng = random.Random(1)
    plain = [bytes(BLOCK), b"abc" * 1365 + b"d", rng.randbytes(BLOCK)]
    found = [bytes([codec]) + bomb(number) for codec in range(1, 5) for number in range(BOMBS)]
    for codec, pack in PACKED.items():
        found += [bytes([codec]) + pack(block) for block in plain]
    return [one for one in found if len(one) < 64 << 10]


def _packers() -> dict[int, Callable[[bytes], bytes]]:
    import zlib

    import lz4.block
    import zstandard

    return {
        1: bytes,
        2: lambda block: zstandard.ZstdCompressor(1).compress(block),
        3: lambda block: bytes(lz4.block.compress(block, store_size=False)),
        4: zlib.compress,
    }


PACKED = _packers()
MANIFESTS, INDEXES, COMMITS = (
    lambda kind=kind: payloads(kind) for kind in (b"DBMANIFS", b"DBINDEXP", b"DBCOMMIT")
)

TARGETS: dict[str, Prepare] = {
    "superblocks": of(superblocks, superblock_of, SLOT_SIZE),
    "records": of(stored_records, payload_of, AREA_SIZE),
    "manifests": of(
        MANIFESTS,
        lambda data: manifest.decode(data, UUID(int=1), REF, 0),
        manifest.max_payload(BLOCKS_OF_A_CHUNK),
    ),
    "index pages": of(INDEXES, index.decode, 0),
    "commit records": of(COMMITS, commit.decode, 0),
    "segments' trailers": of(trailers, segment.decode, segment.MAX_TRAILER),
    "stored blocks": of(stored_blocks, block_of, BLOCK),
}


@pytest.mark.parametrize("what", TARGETS)
def test_record_of_any_bytes_is_read_or_refused(
    what: str, tally: Callable[[str, int], None]
) -> None:
    runs = amount(small=120, brief=2_500, whole=80_000)
    refused = fuzz(what, runs, TARGETS[what], (ValueError, ContainerError))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: bytes of containers", runs)
