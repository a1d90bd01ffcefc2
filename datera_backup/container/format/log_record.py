# SPDX-License-Identifier: Apache-2.0
"""Records of the log: a header that identifies the record, then a payload."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from datera_backup.container.device import Buffer
from datera_backup.container.format.codec import Undecodable, unpack_payload
from datera_backup.container.format.geometry import (
    COPY_DISTANCE,
    DIGEST_SIZE,
    RECORD_HEADER_SIZE,
)

SEGMENT = b"DBSEGMNT"
MANIFEST = b"DBMANIFS"
INDEX = b"DBINDEXP"
COMMIT = b"DBCOMMIT"
KINDS = (SEGMENT, MANIFEST, INDEX, COMMIT)

NOT_ENCRYPTED = 0

_FIELDS = struct.Struct("<8s16s16sQQQIIIIBBBxQ4x")
_FIELDS_SIZE = RECORD_HEADER_SIZE - DIGEST_SIZE


class RecordRef(NamedTuple):
    """A reference to a record.

    :param offset: of the record on the device; its copy lies ``COPY_DISTANCE`` behind it.
    :param length: of header and payload, without what pads them.
    :param checksum: the one in its header.
    """

    offset: int
    length: int
    checksum: bytes


@dataclass(frozen=True)
class Owner:
    """What all records of one backup have in common.

    :param generation: of the superblock in which the backup was entered as begun: of two backups
        in a container the later one has the higher.
    """

    container_id: UUID
    backup_id: UUID
    generation: int


@dataclass(frozen=True)
class Header:
    """The fields of a record's header.

    :param number: of the segment in its backup, of the chunk, of the page in its level; 0 in a
        commit record.
    :param offset: where the record lies; a copy says where the first one does.
    :param stored_length: bytes of the payload as it lies on the device.
    :param plain_length: bytes of the payload when it is decompressed.
    :param count: blocks that a segment or a manifest holds, references of a page.
    :param trailer: bytes behind a segment's payload that say what is in it.
    :param level: of an index page.
    """

    kind: bytes
    owner: Owner
    number: int
    offset: int
    stored_length: int
    plain_length: int
    count: int
    codec: int
    trailer: int = 0
    level: int = 0
    cipher: int = NOT_ENCRYPTED
    key_id: int = 0
    checksum: bytes = b""
    """A decoded header."""

    @property
    def length(self) -> int:
        """Bytes of the whole record."""
        return RECORD_HEADER_SIZE + self.stored_length + self.trailer

    def seal(self, sealed: Buffer) -> bytes:
        """Return the header's bytes, its checksum over themselves and ``sealed``."""
        fields = _FIELDS.pack(
            self.kind,
            self.owner.container_id.bytes,
            self.owner.backup_id.bytes,
            self.number,
            self.owner.generation,
            self.offset,
            self.stored_length,
            self.plain_length,
            self.count,
            self.trailer,
            self.codec,
            self.cipher,
            self.level,
            self.key_id,
        )
        return fields + _checksum(fields, sealed)


def _checksum(fields: Buffer, sealed: Buffer) -> bytes:
    sha256 = hashlib.sha256(fields)
    sha256.update(sealed)
    return sha256.digest()


def checksum_of(raw: Buffer) -> bytes:
    """Return the checksum in a record's header, by which other records refer to it."""
    return bytes(raw[_FIELDS_SIZE:RECORD_HEADER_SIZE])


def is_whole(raw: bytes, sealed: Buffer) -> bool:
    """Whether a header's checksum is that of its fields and of what it seals."""
    return _checksum(raw[:_FIELDS_SIZE], sealed) == checksum_of(raw)


def decode_header(raw: Buffer) -> Header:
    """Read a header's fields, which are not verified yet."""
    (
        kind,
        container_id,
        backup_id,
        number,
        generation,
        offset,
        stored,
        plain,
        count,
        trailer,
        codec,
        cipher,
        level,
        key_id,
    ) = _FIELDS.unpack_from(raw)
    return Header(
        kind=kind,
        owner=Owner(UUID(bytes=container_id), UUID(bytes=backup_id), generation),
        number=number,
        offset=offset,
        stored_length=stored,
        plain_length=plain,
        count=count,
        codec=codec,
        trailer=trailer,
        level=level,
        cipher=cipher,
        key_id=key_id,
        checksum=checksum_of(raw),
    )


def payload_of(raw: bytes, most: int) -> bytes:
    """Return the uncompressed payload of an intact record.

    :param most: bytes that it can have at most.
    :raises ValueError: it is none of this version's, or longer.
    """
    header = decode_header(raw)
    stored = raw[RECORD_HEADER_SIZE:]
    if header.cipher != NOT_ENCRYPTED:
        raise ValueError(f"it is encrypted (cipher {header.cipher}, key {header.key_id})")
    if header.stored_length != len(stored) or header.plain_length > most:
        raise ValueError(
            f"its payload claims {header.stored_length} bytes, {header.plain_length} uncompressed"
        )
    try:
        return unpack_payload(header.codec, stored, header.plain_length)
    except Undecodable as exc:
        raise ValueError(str(exc)) from exc


def places(offset: int) -> tuple[int, int]:
    """Return where a metadata record and its copy lie."""
    return offset, offset + COPY_DISTANCE
