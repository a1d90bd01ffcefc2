# SPDX-License-Identifier: Apache-2.0
"""One block in and out of each codec, and files as devices."""

from __future__ import annotations

import os
import random
import sys
import zlib
from pathlib import Path

import pytest

from datera_backup.container import (
    Codec,
    ContainerTooNew,
    FileDevice,
    LayoutDamaged,
    PackageMissing,
)
from datera_backup.container.format.codec import Decompressor, Undecodable, compressor

TEXT = b"what repeats compresses well " * 300
PACKERS = [Codec.ZSTD, Codec.LZ4, Codec.ZLIB]
NOISE = random.Random(1).randbytes(len(TEXT))


@pytest.mark.parametrize("codec", PACKERS)
def test_round_trip(codec: Codec) -> None:
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
def test_another_length(codec: Codec, length: int) -> None:
    stored = TEXT if codec is Codec.RAW else compressor(codec, 1).compress(TEXT)[1]
    with pytest.raises(Undecodable):
        Decompressor().decompress(codec, stored, length)


@pytest.mark.parametrize("codec", PACKERS)
def test_what_is_no_stream_at_all(codec: Codec) -> None:
    for stored in (b"", b"x", NOISE, zlib.compress(TEXT)[:-5]):
        with pytest.raises(Undecodable):
            Decompressor().decompress(codec, stored, len(TEXT))


def test_a_frame_that_claims_to_be_huge() -> None:
    """A damaged size must not make the decompressor set a tebibyte aside."""
    frame = bytes.fromhex("28b52ffde0") + (1 << 40).to_bytes(8, "little") + NOISE
    with pytest.raises(Undecodable, match=f"a frame of {1 << 40} bytes instead of 4096"):
        Decompressor().decompress(Codec.ZSTD, frame, 4096)


def test_a_codec_of_a_later_version() -> None:
    with pytest.raises(ContainerTooNew, match="codec 77"):
        Decompressor().decompress(77, b"", 0)


@pytest.mark.parametrize("level", [-7, 1, 2, 12])
def test_levels_of_lz4(level: int) -> None:
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


def test_a_file_as_a_device(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(bytes(100))
    with FileDevice(path) as device:
        device.pwrite(10, b"abc")
        device.flush()
        buffer = bytearray(5)
        device.pread(9, memoryview(buffer))
        assert bytes(buffer) == b"\0abc\0"
        with pytest.raises(LayoutDamaged, match="ends at byte 100"):
            device.pread(98, memoryview(buffer))
        with path.open("r+b") as file:
            file.truncate(200)
        assert device.size == 200
    device.close()
    assert path.read_bytes()[10:13] == b"abc"


@pytest.mark.parametrize("most", [1, 7, 4096])
def test_a_system_that_takes_a_part_at_a_time_gets_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    rng = random.Random(most)
    buffers = [rng.randbytes(rng.choice((0, 1, 5, 9))) for _ in range(2500)]
    pwrite = os.pwrite

    def take(descriptor: int, vector: list[memoryview], offset: int) -> int:
        assert 0 < len(vector) <= 1024
        return pwrite(descriptor, b"".join(vector)[:most], offset)

    monkeypatch.setattr(os, "pwritev", take)
    path = tmp_path / "device"
    path.write_bytes(bytes(20))
    with FileDevice(path) as device:
        device.pwrite(10, *buffers)
    assert path.read_bytes() == bytes(10) + b"".join(buffers)


def test_a_descriptor_stays_the_callers(tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.write_bytes(b"0123")
    with path.open("rb") as file:
        FileDevice(file.fileno()).close()
        assert file.read() == b"0123"
    with FileDevice(path, writable=False) as device, pytest.raises(OSError, match="descriptor"):
        device.pwrite(0, b"x")
