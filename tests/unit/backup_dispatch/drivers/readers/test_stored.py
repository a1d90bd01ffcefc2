# SPDX-License-Identifier: Apache-2.0
"""Objects are decompressed piece by piece, and what comes before damage comes."""

from __future__ import annotations

import bz2
import random
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstd  # type: ignore[import-untyped]  # it has no types

from backup_dispatch.drivers.chunked_objects import ObjectDamaged, ObjectUnread
from backup_dispatch.drivers.readers.stored import Stored, decompressed, pieces_of

PLAIN = random.Random(1).randbytes(500_000) + bytes(3_000_000) + b"text " * 100_000
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "zlib": zlib.compress,
    "gzip": zlib.compress,
    "BZ2": bz2.compress,
    "zstd": zstd.compress,
}
STREAMED = ("zlib", "BZ2")


def stored(compression: str) -> Stored:
    return Stored("an object", 0, len(PLAIN), compression, "")


def in_parts(body: bytes, size: int = 70_000) -> Iterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


@pytest.mark.parametrize("name", COMPRESSORS)
def test_all_of_it_comes_in_pieces_of_a_mebibyte_at_most(name: str) -> None:
    pieces = list(pieces_of(stored(name), in_parts(COMPRESSORS[name](PLAIN))))
    assert b"".join(pieces) == PLAIN
    assert decompressed(stored(name), COMPRESSORS[name](PLAIN)) == PLAIN
    if name != "zstd":
        assert max(map(len, pieces)) <= 2**20


def take(pieces: Iterator[bytes], into: bytearray) -> None:
    for piece in pieces:
        into += piece


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_what_comes_before_damage_comes(name: str, damage: str) -> None:
    body = bytearray(COMPRESSORS[name](PLAIN))
    if damage == "cut":
        del body[-1:]
    else:
        body[-40] ^= 255
    got = bytearray()
    pieces = pieces_of(stored(name), in_parts(bytes(body)))
    with pytest.raises(ObjectDamaged, match=f"its {name} data is broken"):
        take(pieces, got)
    assert PLAIN.startswith(got)
    assert len(got) > 400_000


def test_broken_zstd_is_damage() -> None:
    with pytest.raises(ObjectDamaged, match="its zstd data is broken"):
        decompressed(stored("zstd"), zstd.compress(PLAIN)[:-9])


def test_unknown_compression_proves_nothing() -> None:
    with pytest.raises(ObjectUnread, match="says compression lzma, which this Cinder does not"):
        decompressed(stored("lzma"), b"")


def test_what_reading_raises_is_not_taken_for_damage() -> None:
    def failing() -> Iterator[bytes]:
        yield zlib.compress(PLAIN)[:1000]
        raise TimeoutError

    with pytest.raises(TimeoutError):
        list(pieces_of(stored("zlib"), failing()))
