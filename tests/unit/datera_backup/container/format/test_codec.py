# SPDX-License-Identifier: Apache-2.0
"""Compressing and decompressing one block with each codec."""

from __future__ import annotations

import random
import sys
import zlib

import pytest

from datera_backup.container import Codec, ContainerTooNew, PackageMissing
from datera_backup.container.format.codec import Decompressor, Undecodable, compressor

TEXT = b"what repeats compresses well " * 300
PACKERS = [Codec.ZSTD, Codec.LZ4, Codec.ZLIB]
NOISE = random.Random(1).randbytes(len(TEXT))


@pytest.mark.parametrize("codec", PACKERS)
def test_compressed_block_is_decompressed(codec: Codec) -> None:
    used, stored = compressor(codec, 1).compress(memoryview(TEXT))
    assert used is codec
    assert len(stored) < len(TEXT)
    assert Decompressor().decompress(codec, memoryview(stored), len(TEXT)) == TEXT


@pytest.mark.parametrize("codec", [Codec.RAW, *PACKERS])
def test_what_does_not_compress_is_stored_as_it_is(codec: Codec) -> None:
    used, stored = compressor(codec, 1).compress(memoryview(NOISE))
    assert used is Codec.RAW
    assert stored == NOISE
    assert Decompressor().decompress(used, stored, len(NOISE)) == NOISE


@pytest.mark.parametrize("codec", [Codec.RAW, *PACKERS])
@pytest.mark.parametrize("length", [0, len(TEXT) - 1, len(TEXT) + 1])
def test_wrong_length_is_undecodable(codec: Codec, length: int) -> None:
    stored = TEXT if codec is Codec.RAW else compressor(codec, 1).compress(TEXT)[1]
    with pytest.raises(Undecodable):
        Decompressor().decompress(codec, stored, length)


@pytest.mark.parametrize("codec", PACKERS)
def test_garbage_is_undecodable(codec: Codec) -> None:
    for stored in (b"", b"x", NOISE, zlib.compress(TEXT)[:-5]):
        with pytest.raises(Undecodable):
            Decompressor().decompress(codec, stored, len(TEXT))


def test_frame_that_claims_a_huge_size_allocates_nothing() -> None:
    """A damaged size must not make the decompressor set a tebibyte aside."""
    frame = bytes.fromhex("28b52ffde0") + (1 << 40).to_bytes(8, "little") + NOISE
    with pytest.raises(Undecodable, match=f"a frame of {1 << 40} bytes instead of 4096"):
        Decompressor().decompress(Codec.ZSTD, frame, 4096)


def test_unknown_codec_is_of_a_later_version() -> None:
    with pytest.raises(ContainerTooNew, match="codec 77"):
        Decompressor().decompress(77, b"", 0)


@pytest.mark.parametrize("level", [-7, 1, 2, 12])
def test_every_level_of_lz4_is_decompressed(level: int) -> None:
    used, stored = compressor(Codec.LZ4, level).compress(TEXT)
    assert used is Codec.LZ4
    assert Decompressor().decompress(used, stored, len(TEXT)) == TEXT


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lz4.block", None)
    with pytest.raises(PackageMissing, match="'lz4' is not installed, which"):
        compressor(Codec.LZ4, 1)
    with pytest.raises(PackageMissing, match="'lz4'"):
        Decompressor().decompress(Codec.LZ4, b"x", 1)
    assert Decompressor().decompress(Codec.RAW, b"x", 1) == b"x"
