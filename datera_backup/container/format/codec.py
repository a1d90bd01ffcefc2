# SPDX-License-Identifier: Apache-2.0
"""Compressing one block, and getting it back."""

from __future__ import annotations

import zlib
from enum import IntEnum
from types import ModuleType
from typing import Protocol

import zstandard

from datera_backup.container.device import Buffer
from datera_backup.container.errors import ContainerTooNew
from datera_backup.container.format.optional import package

# Stored bytes that do not save this share of a block cost a restore more than they are worth.
_WORTHWHILE = 16
# The first of lz4's levels that searches thoroughly.
_LZ4_THOROUGH = 2


class Codec(IntEnum):
    """How a block, or a record's payload, is stored; the numbers are those of the format."""

    ZERO = 0
    """The block is all zero and stored nowhere."""
    RAW = 1
    ZSTD = 2
    LZ4 = 3
    ZLIB = 4


# Looking a member of an enumeration up for each block takes longer than to compare it.
_RAW, _ZSTD, _ZLIB, _LZ4 = map(int, (Codec.RAW, Codec.ZSTD, Codec.ZLIB, Codec.LZ4))


class Undecodable(ValueError):
    """Stored bytes do not give as many plain bytes as they should."""


class Compressor(Protocol):
    """Compresses block after block; each thread needs its own."""

    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        """Return what is to be stored: the block itself where compression does not pay."""


def compressor(codec: Codec, level: int) -> Compressor:
    """Return a compressor for one thread.

    :param level: as the codec counts it; without meaning for ``RAW``. For ``LZ4`` up to 1 is the
        fast kind, -7 the fastest, and 2 to 12 the thorough one.
    :raises PackageMissing: the codec needs a package that is not installed.
    :raises ValueError: blocks cannot be stored by it.
    """
    if codec is Codec.RAW:
        return _Raw()
    if codec is Codec.ZSTD:
        return _Zstd(level)
    if codec is Codec.ZLIB:
        return _Zlib(level)
    if codec is Codec.LZ4:
        return _Lz4(level)
    raise ValueError(f"Nothing compresses with {codec.name}.")


class _Raw:
    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        return Codec.RAW, block


class _Zstd:
    def __init__(self, level: int) -> None:
        self._compress = zstandard.ZstdCompressor(level=level).compress

    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        stored = self._compress(block)
        return (Codec.ZSTD, stored) if _pays(stored, block) else (Codec.RAW, block)


class _Zlib:
    def __init__(self, level: int) -> None:
        self._level = level

    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        stored = zlib.compress(block, self._level)
        return (Codec.ZLIB, stored) if _pays(stored, block) else (Codec.RAW, block)


class _Lz4:
    def __init__(self, level: int) -> None:
        self._compress = _lz4_block().compress
        self._options = (
            {"mode": "fast", "acceleration": max(1, -level)}
            if level < _LZ4_THOROUGH
            else {"mode": "high_compression", "compression": level}
        )

    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        stored = self._compress(block, store_size=False, **self._options)
        return (Codec.LZ4, stored) if _pays(stored, block) else (Codec.RAW, block)


def _lz4_block() -> ModuleType:
    return package("lz4.block", "blocks that are compressed by lz4")


def _pays(stored: bytes, block: Buffer) -> bool:
    return len(stored) + len(block) // _WORTHWHILE < len(block)


class Decompressor:
    """Gives plain bytes back, whichever codec stored them; each thread needs its own."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdDecompressor()

    def decompress(self, codec: int, stored: Buffer, length: int) -> Buffer:
        """Return exactly ``length`` plain bytes; those of ``RAW`` are ``stored`` itself.

        :raises Undecodable: the stored bytes are damaged.
        :raises ContainerTooNew: this version does not know the codec.
        :raises PackageMissing: the codec needs a package that is not installed.
        """
        plain: Buffer
        if codec == _ZSTD:
            plain = self._unpack_zstd(stored, length)
        elif codec == _RAW:
            plain = stored
        elif codec == _ZLIB:
            plain = _unpack_zlib(stored, length)
        elif codec == _LZ4:
            plain = _unpack_lz4(stored, length)
        else:
            raise ContainerTooNew(f"This version cannot decompress codec {codec}.")
        if len(plain) != length:
            raise Undecodable(f"{len(plain)} bytes instead of {length}")
        return plain

    def _unpack_zstd(self, stored: Buffer, length: int) -> bytes:
        try:
            # A damaged frame may claim any size, and the library would allocate that much.
            claimed = zstandard.frame_content_size(stored)
            if claimed != length:
                raise Undecodable(f"a frame of {claimed} bytes instead of {length}")
            return self._zstd.decompress(stored, max_output_size=length)
        except (zstandard.ZstdError, MemoryError) as exc:
            raise Undecodable(str(exc) or "a frame that needs too much memory") from exc


def _unpack_zlib(stored: Buffer, length: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(stored, length)
        # One more byte must not come out, and the stream's own end must.
        more = b"" if unpacker.eof else unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error as exc:
        raise Undecodable(str(exc)) from exc
    if more or not unpacker.eof:
        raise Undecodable("the stream does not end where the block does")
    return plain


def _unpack_lz4(stored: Buffer, length: int) -> bytes:
    lz4 = _lz4_block()
    try:
        plain: bytes = lz4.decompress(stored, uncompressed_size=length)
    except (lz4.LZ4BlockError, ValueError) as exc:
        raise Undecodable(str(exc)) from exc
    return plain


def pack_payload(plain: bytes) -> tuple[Codec, bytes]:
    """Return a record's payload as it is stored: compressed where that makes it shorter."""
    packed = zstandard.ZstdCompressor(level=1).compress(plain)
    return (Codec.ZSTD, packed) if len(packed) < len(plain) else (Codec.RAW, plain)


def unpack_payload(codec: int, stored: bytes, length: int) -> bytes:
    """Return the ``length`` plain bytes of what :func:`pack_payload` returned.

    :raises Undecodable: they are not what comes out, or the codec is none of records.
    """
    if codec == Codec.RAW and len(stored) == length:
        return stored
    if codec != Codec.ZSTD:
        raise Undecodable(f"{len(stored)} bytes of codec {codec} instead of {length}")
    return bytes(Decompressor().decompress(codec, stored, length))
