# SPDX-License-Identifier: Apache-2.0
"""One changed block costs little, however large the volume is and whatever else is in it."""

from __future__ import annotations

import random
import tracemalloc
from itertools import pairwise

from datera_backup.container import (
    BackupReader,
    Codec,
    Commit,
    Container,
    Geometry,
    NewBackup,
)
from datera_backup.container.format.geometry import GIB, KIB, MIB
from datera_backup.container.format.index import FAN_OUT, depth_for
from tests.fixtures.containers.moving import identifier, new_container

TIB = 1024 * GIB
GEOMETRY = Geometry()
PER_CHUNK = GEOMETRY.blocks_per_chunk
STORED = b"what a block takes in the container"


def blocks_that_fill_the_pages(size: int) -> list[int]:
    """All blocks of the first chunk, and one below each reference of the pages on its way."""
    chunks = GEOMETRY.chunks(size)
    first = range(PER_CHUNK)
    others = [
        number * FAN_OUT**level * PER_CHUNK
        for level in range(depth_for(chunks))
        for number in range(1, FAN_OUT)
        if number * FAN_OUT**level < chunks
    ]
    return [*first, *others]


def back_up(
    container: Container,
    number: int,
    size: int,
    blocks: list[int],
    *,
    changed: int | None = None,
    parent: BackupReader | None = None,
) -> Commit:
    """Back up a volume of which some blocks are not zero, and one has changed."""
    rng = random.Random(number)
    new = NewBackup(identifier(number), "a volume", size)
    writer = container.begin(new, living=container.committed, parent=parent)
    end = GEOMETRY.blocks(size)
    for block, after in pairwise([*blocks, end]):
        chunk_number, place = divmod(block, PER_CHUNK)
        chunk = None if parent is None else parent.inheritable(chunk_number)
        if chunk is None or block == changed:
            writer.store(rng.randbytes(32), Codec.ZSTD, STORED)
        else:
            writer.inherit(chunk, place)
        if after > block + 1:
            writer.zeros(after - block - 1)
    return writer.commit()


def test_one_block_of_ten_tebibytes_costs_little_metadata() -> None:
    container, size = new_container(1), 10 * TIB
    blocks = blocks_that_fill_the_pages(size)
    full = back_up(container, 1, size, blocks)
    assert full.statistics.new_blocks == len(blocks)
    parent = BackupReader(container, identifier(1))
    tail = container.tail
    commit = back_up(container, 2, size, blocks, changed=7, parent=parent)
    assert commit.statistics.new_blocks == 1
    assert commit.statistics.inherited_blocks == len(blocks) - 1
    assert 32 * KIB < commit.statistics.metadata_bytes <= 64 * KIB
    assert container.tail - tail <= 4 * MIB
    reader = BackupReader(container, identifier(2))
    own = [
        number
        for number in range(0, reader.chunk_count, FAN_OUT // 2)
        if reader.manifest_ref(number) != parent.manifest_ref(number)
    ]
    assert own == [0]


def test_one_block_of_a_tebibyte_costs_little_memory() -> None:
    container, size = new_container(1), TIB
    blocks = blocks_that_fill_the_pages(size)
    back_up(container, 1, size, blocks)
    parent = BackupReader(container, identifier(1))
    tracemalloc.start()
    back_up(container, 2, size, blocks, changed=7, parent=parent)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB
