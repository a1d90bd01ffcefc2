# SPDX-License-Identifier: Apache-2.0
"""How a source is cut, and that no backup takes more than its worst case."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datera_backup.container import (
    LOG_START,
    METADATA_LIMIT,
    Codec,
    Digest,
    Geometry,
    NewBackup,
    PackageMissing,
    worst_case,
)
from datera_backup.container.format.geometry import GIB, MIB, digest_function
from tests.fixtures.containers.moving import BLOCK, identifier, new_container


@pytest.mark.parametrize(
    ("block", "chunk"),
    [(0, BLOCK), (1000, 4000), (3 * BLOCK, 9 * BLOCK), (1 << 25, 1 << 26), (BLOCK, BLOCK + 1)],
)
def test_invalid_sizes_are_refused(block: int, chunk: int) -> None:
    with pytest.raises(ValueError, match="size"):
        Geometry(block, chunk)


def test_geometry_counts_blocks_and_chunks() -> None:
    geometry = Geometry(BLOCK, 4 * BLOCK)
    size = 9 * BLOCK + 1
    assert geometry.blocks(size) == 10
    assert geometry.chunks(size) == 3
    assert [geometry.blocks_in_chunk(size, n) for n in range(3)] == [4, 4, 2]
    assert [geometry.length_of(size, n) for n in (0, 8, 9)] == [BLOCK, BLOCK, 1]
    assert geometry.blocks(0) == geometry.chunks(0) == 0


def test_the_digest_is_the_one_that_is_named() -> None:
    assert digest_function(Digest.SHA256)(b"abc").hex().startswith("ba7816bf8f01cfea")
    # From the authors' paper: the digest of no bytes at all.
    assert digest_function(Digest.BLAKE3)(b"").hex().startswith("af1349b9f5f9a1a6")


def test_a_digest_whose_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    with pytest.raises(PackageMissing, match="'blake3' is not installed"):
        digest_function(Digest.BLAKE3)


@settings(max_examples=60)
@given(
    st.integers(0, 60 * BLOCK),
    st.sampled_from([1, 2, 8, 16]),
    st.sampled_from([1, BLOCK, 3 * BLOCK, 64 * BLOCK]),
    st.integers(0, METADATA_LIMIT - 100),
)
def test_worst_case_is_never_exceeded(
    size: int, per_chunk: int, segment_size: int, metadata: int
) -> None:
    geometry = Geometry(BLOCK, per_chunk * BLOCK)
    most = worst_case(size, geometry, segment_size=segment_size)
    container = new_container(1, LOG_START + most)
    noise = random.Random(size).randbytes(metadata // 2).hex()
    new = NewBackup(identifier(1), "volume" * 10, size, geometry, metadata={"n": noise})
    writer = container.begin(new, living=(), segment_size=segment_size)
    rng = random.Random(1)
    for block in range(geometry.blocks(size)):
        data = rng.randbytes(geometry.length_of(size, block))
        writer.store(rng.randbytes(32), Codec.RAW, data)
    writer.commit()
    assert container.tail - LOG_START <= most


def test_worst_case_of_real_volumes_is_close_to_their_size() -> None:
    for size in (GIB, 100 * GIB, 1024 * GIB):
        assert size < worst_case(size, Geometry()) < size * 1.01 + 20 * MIB
