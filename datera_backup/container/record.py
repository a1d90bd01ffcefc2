# SPDX-License-Identifier: Apache-2.0
"""Records of the log: a header with a checksum, then a payload, padded to the alignment."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import zstandard

from datera_backup.container.codec import Codec
from datera_backup.container.device import Buffer, Device, read
from datera_backup.container.errors import LayoutDamaged
from datera_backup.container.geometry import DIGEST_SIZE, RECORD_HEADER_SIZE

SEGMENT = b"DBSEGMNT"
MANIFEST = b"DBMANIFS"
COMMIT = b"DBCOMMIT"

_FIELDS = struct.Struct("<8s16sQQQIB11x")
_FIELDS_SIZE = RECORD_HEADER_SIZE - DIGEST_SIZE
# What a length field may claim before memory is set aside for it.
_MAX_PAYLOAD = 1 << 31


class RecordRef(NamedTuple):
    """What names a record from another one.

    :param offset: of the record on the device.
    :param length: of header and payload, without what pads them.
    :param checksum: the one in its header.
    """

    offset: int
    length: int
    checksum: bytes


@dataclass(frozen=True)
class Header:
    """What stands before every payload.

    :param number: of the segment or of the chunk; 0 in a commit record.
    :param stored_length: bytes of the payload as it lies on the device.
    :param plain_length: bytes of the payload when it is decompressed.
    :param count: blocks that a segment or a manifest holds.
    """

    magic: bytes
    backup_id: UUID
    number: int
    stored_length: int
    plain_length: int
    count: int
    codec: Codec

    def seal(self, payload: Buffer = b"") -> bytes:
        """Return the header's bytes, its checksum over themselves and ``payload``."""
        fields = _FIELDS.pack(
            self.magic,
            self.backup_id.bytes,
            self.number,
            self.stored_length,
            self.plain_length,
            self.count,
            self.codec,
        )
        return fields + _checksum(fields, payload)


def _checksum(fields: Buffer, payload: Buffer) -> bytes:
    sha256 = hashlib.sha256(fields)
    sha256.update(payload)
    return sha256.digest()


def pack(magic: bytes, backup_id: UUID, number: int, plain: bytes, count: int) -> bytes:
    """Return a whole record, its payload compressed where that makes it shorter."""
    codec, payload = Codec.ZSTD, zstandard.ZstdCompressor(level=1).compress(plain)
    if len(payload) >= len(plain):
        codec, payload = Codec.RAW, plain
    header = Header(magic, backup_id, number, len(payload), len(plain), count, codec)
    return header.seal(payload) + payload


def checksum_of(record: bytes) -> bytes:
    """Return the checksum in a record's header, by which other records refer to it."""
    return record[_FIELDS_SIZE:RECORD_HEADER_SIZE]


def unpack(
    device: Device,
    ref: RecordRef,
    expected: tuple[bytes, int],
    damaged: Callable[[str], LayoutDamaged],
) -> bytes:
    """Read a record that another one refers to, and return its plain payload.

    :param expected: the magic and the number it must have.
    :param damaged: makes the error from a reason.
    """
    if not RECORD_HEADER_SIZE <= ref.length <= _MAX_PAYLOAD:
        raise damaged(f"its length is said to be {ref.length} bytes")
    try:
        record = bytes(read(device, ref.offset, ref.length))
    except LayoutDamaged as exc:
        raise damaged(str(exc)) from exc
    payload = record[RECORD_HEADER_SIZE:]
    found = _checksum(record[:_FIELDS_SIZE], payload)
    if found != ref.checksum or checksum_of(record) != ref.checksum:
        raise damaged(f"its checksum is {found.hex()} instead of {ref.checksum.hex()}")
    header = _decode(record)
    if header is None or (header.magic, header.number) != expected:
        raise damaged("another record lies there")
    if header.codec is Codec.RAW:
        return payload
    if header.codec is not Codec.ZSTD or header.plain_length > _MAX_PAYLOAD:
        raise damaged(f"its payload is said to be {header.plain_length} bytes, {header.codec.name}")
    plain = zstandard.ZstdDecompressor().decompress(payload, max_output_size=header.plain_length)
    if len(plain) != header.plain_length:
        raise damaged(f"it holds {len(plain)} bytes instead of {header.plain_length}")
    return plain


def peek(device: Device, offset: int) -> Header | None:
    """Read the header at ``offset``; None where no whole record lies.

    A segment's checksum is over its header alone: its blocks have digests of their own.
    """
    try:
        raw = bytes(read(device, offset, RECORD_HEADER_SIZE))
        header = _decode(raw)
        if header is None or header.stored_length > _MAX_PAYLOAD:
            return None
        length = 0 if header.magic == SEGMENT else header.stored_length
        payload = read(device, offset + RECORD_HEADER_SIZE, length)
    except LayoutDamaged:
        return None
    whole = checksum_of(raw) == _checksum(raw[:_FIELDS_SIZE], payload)
    return header if whole else None


def _decode(raw: bytes) -> Header | None:
    magic, backup_id, number, stored, plain, count, codec = _FIELDS.unpack_from(raw)
    try:
        return Header(magic, UUID(bytes=backup_id), number, stored, plain, count, Codec(codec))
    except ValueError:
        return None
