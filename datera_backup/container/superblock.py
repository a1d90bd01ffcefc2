# SPDX-License-Identifier: Apache-2.0
"""The superblock: which backups a container holds, and where."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from datera_backup.container.clock import from_microseconds, to_microseconds
from datera_backup.container.errors import ContainerFull, ContainerTooNew
from datera_backup.container.geometry import DIGEST_SIZE, LOG_START, SLOT_SIZE
from datera_backup.container.record import RecordRef

MAGIC = b"DBCONTNR"
VERSION = 1

_HEAD = struct.Struct("<8sIIQ16sQQII32x32s")
_ENTRY = struct.Struct("<16sIIQQQQQ32s32x")
HEAD_SIZE = _HEAD.size
ENTRY_SIZE = _ENTRY.size
MAX_ENTRIES = (SLOT_SIZE - HEAD_SIZE) // ENTRY_SIZE

_LENGTH_AT = 60
_CHECKSUM_AT = HEAD_SIZE - DIGEST_SIZE


class State(IntEnum):
    """How far a backup is; the numbers are those of the format."""

    OPEN = 1
    COMMITTED = 2
    DEAD = 3


@dataclass(frozen=True)
class Entry:
    """One backup.

    :param end: the byte after its range; 0 while it is open.
    :param commit_length: bytes of the commit record, header included.
    :param changed: when the state became what it is.
    """

    backup_id: UUID
    state: State
    start: int
    end: int
    commit_offset: int
    commit_length: int
    commit_checksum: bytes
    started: datetime
    changed: datetime

    @property
    def commit_ref(self) -> RecordRef:
        """Where the commit record of a committed backup lies."""
        return RecordRef(self.commit_offset, self.commit_length, self.commit_checksum)


@dataclass(frozen=True)
class Superblock:
    """What one slot holds.

    :param device_size: bytes of the device when it was written.
    :param entries: in the order of the log.
    """

    generation: int
    container_id: UUID
    device_size: int
    written: datetime
    entries: tuple[Entry, ...] = ()

    @property
    def tail(self) -> int:
        """The byte where the next backup begins; what an open one has written does not count."""
        return max([LOG_START, *(entry.end for entry in self.entries)])


def encode(block: Superblock) -> bytes:
    """Return a slot's bytes.

    :raises ContainerFull: it has more entries than a slot takes.
    """
    length = HEAD_SIZE + len(block.entries) * ENTRY_SIZE
    if length > SLOT_SIZE:
        raise ContainerFull(f"The superblock of container {block.container_id}", length, SLOT_SIZE)
    head = _HEAD.pack(
        MAGIC,
        VERSION,
        0,
        block.generation,
        block.container_id.bytes,
        block.device_size,
        to_microseconds(block.written),
        len(block.entries),
        length,
        bytes(DIGEST_SIZE),
    )
    body = head + b"".join(map(_encode_entry, block.entries))
    return body[:_CHECKSUM_AT] + hashlib.sha256(body).digest() + body[HEAD_SIZE:]


def _encode_entry(entry: Entry) -> bytes:
    return _ENTRY.pack(
        entry.backup_id.bytes,
        entry.state,
        entry.commit_length,
        entry.start,
        entry.end,
        entry.commit_offset,
        to_microseconds(entry.started),
        to_microseconds(entry.changed),
        entry.commit_checksum,
    )


def length_of(head: bytes) -> int:
    """Return how many bytes of a slot its superblock takes; 0 where there is none.

    Magic, length and checksum stay where they are in all versions.
    """
    (length,) = struct.unpack_from("<I", head, _LENGTH_AT)
    is_one = head.startswith(MAGIC) and HEAD_SIZE <= length <= SLOT_SIZE
    return int(length) if is_one else 0


def decode(raw: bytes) -> Superblock | None:
    """Read a slot's bytes; None where they are damaged.

    :raises ContainerTooNew: they are whole, but a later version wrote them.
    """
    checksum = raw[_CHECKSUM_AT:HEAD_SIZE]
    plain = raw[:_CHECKSUM_AT] + bytes(DIGEST_SIZE) + raw[HEAD_SIZE:]
    if hashlib.sha256(plain).digest() != checksum:
        return None
    (_, version, flags, generation, container_id, device_size, written, count, *_) = _HEAD.unpack(
        raw[:HEAD_SIZE]
    )
    if version != VERSION or flags:
        raise ContainerTooNew(
            f"Container {UUID(bytes=container_id)} has version {version} (flags {flags:#x}) of "
            f"the format; this software knows version {VERSION}."
        )
    if HEAD_SIZE + count * ENTRY_SIZE != len(raw):
        return None
    entries = tuple(
        _decode_entry(_ENTRY.unpack_from(raw, HEAD_SIZE + number * ENTRY_SIZE))
        for number in range(count)
    )
    return Superblock(
        generation=generation,
        container_id=UUID(bytes=container_id),
        device_size=device_size,
        written=from_microseconds(written),
        entries=entries,
    )


def _decode_entry(fields: tuple[bytes, int, int, int, int, int, int, int, bytes]) -> Entry:
    backup_id, state, commit_length, start, end, commit_offset, started, changed, checksum = fields
    return Entry(
        backup_id=UUID(bytes=backup_id),
        state=State(state),
        start=start,
        end=end,
        commit_offset=commit_offset,
        commit_length=commit_length,
        commit_checksum=checksum,
        started=from_microseconds(started),
        changed=from_microseconds(changed),
    )
