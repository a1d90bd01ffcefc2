# SPDX-License-Identifier: Apache-2.0
"""Compressing one block, and getting it back."""

from __future__ import annotations

import zlib
from enum import IntEnum
from typing import Protocol

import zstandard

from datera_backup.container.device import Buffer
from datera_backup.container.errors import ContainerTooNew

# Stored bytes that do not save this share of a block cost a restore more than they are worth.
_WORTHWHILE = 16


class Codec(IntEnum):
    """How a block, or a record's payload, is stored; the numbers are those of the format."""

    ZERO = 0
    """The block is all zero and stored nowhere."""
    RAW = 1
    ZSTD = 2
    LZ4 = 3
    ZLIB = 4


class Undecodable(ValueError):
    """Stored bytes do not give as many plain bytes as they should."""


class Compressor(Protocol):
    """Compresses block after block; each thread needs its own."""

    def compress(self, block: Buffer) -> tuple[Codec, Buffer]:
        """Return what is to be stored: the block itself where compression does not pay."""


def compressor(codec: Codec, level: int) -> Compressor:
    """Return a compressor for one thread.

    :param level: as the codec counts it; without meaning for ``RAW``.
    :raises ContainerTooNew: this version cannot use the codec.
    """
    if codec is Codec.RAW:
        return _Raw()
    if codec is Codec.ZSTD:
        return _Zstd(level)
    if codec is Codec.ZLIB:
        return _Zlib(level)
    raise ContainerTooNew(f"This version cannot compress with {codec.name}.")


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
        """
        if codec == Codec.RAW:
            plain = stored
        elif codec == Codec.ZSTD:
            plain = self._unpack_zstd(stored, length)
        elif codec == Codec.ZLIB:
            plain = _unpack_zlib(stored, length)
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
        except zstandard.ZstdError as exc:
            raise Undecodable(str(exc)) from exc


def _unpack_zlib(stored: Buffer, length: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(stored, length)
    except zlib.error as exc:
        raise Undecodable(str(exc)) from exc
    # One more byte must not come out, and the stream's own end must.
    if not unpacker.eof and (unpacker.decompress(unpacker.unconsumed_tail, 1) or not unpacker.eof):
        raise Undecodable("the stream does not end where the block does")
    return plain
