# SPDX-License-Identifier: Apache-2.0
"""The superblock: which backups a container holds, and where. All that is ever rewritten."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from datera_backup.container.errors import ContainerFull, ContainerTooNew
from datera_backup.container.format.clock import from_microseconds, to_microseconds
from datera_backup.container.format.geometry import DIGEST_SIZE, LOG_START, SLOT_SIZE
from datera_backup.container.format.log_record import RecordRef

MAGIC = b"DBCONTNR"
VERSION = 2

_HEAD = struct.Struct("<8sIIQ16sQQIIIBBHQ16x32s32s96x")
_ENTRY = struct.Struct("<16s16sIIQQQQQQ32s8x")
_SPOT = struct.Struct("<16sQI4x")
HEAD_SIZE = _HEAD.size
MAX_ENTRIES = 4096
MAX_SPOTS = 4096

_LENGTH_AT = 60
_CHECKSUM_AT = 96
_BODY_AT = _CHECKSUM_AT + DIGEST_SIZE

_NO_PARENT = UUID(int=0)
_NO_MAC = 0
_SHA256 = 1


class EntryState(IntEnum):
    """The state of a backup; the numbers are those of the format."""

    OPEN = 1
    COMMITTED = 2
    DYING = 3
    """Deleted, and the space that only it used is being reclaimed."""
    DEAD = 4
    VACANT = 5
    """Deleted, and nothing in its range is needed; its space is being reclaimed."""

    @property
    def is_gone(self) -> bool:
        """Whether the backup was deleted."""
        return self in (EntryState.DYING, EntryState.VACANT, EntryState.DEAD)


@dataclass(frozen=True)
class Entry:
    """One backup.

    :param generation: of the superblock in which it was entered as begun.
    :param end: the byte after its range; 0 while it is open.
    :param commit: where its commit record lies; None while it is open.
    :param changed: when the state became what it is.
    """

    backup_id: UUID
    parent_id: UUID | None
    state: EntryState
    generation: int
    start: int
    end: int
    commit: RecordRef | None
    started: datetime
    changed: datetime

    @cached_property
    def encoded(self) -> bytes:
        """The entry as it stands in a slot; kept, for a superblock has thousands."""
        commit = self.commit or RecordRef(0, 0, bytes(DIGEST_SIZE))
        return _ENTRY.pack(
            self.backup_id.bytes,
            (self.parent_id or _NO_PARENT).bytes,
            self.state,
            commit.length,
            self.start,
            self.end,
            commit.offset,
            to_microseconds(self.started),
            to_microseconds(self.changed),
            self.generation,
            commit.checksum,
        )


class Spot(NamedTuple):
    """Stored bytes that were found bad.

    :param container_id: in which container of the chain.
    """

    container_id: UUID
    offset: int
    length: int


@dataclass(frozen=True)
class Superblock:
    """What one slot holds.

    :param device_size: bytes of the device when it was written.
    :param entries: in the order of the log.
    :param spots: what readers found bad in this chain.
    """

    generation: int
    container_id: UUID
    device_size: int
    written: datetime
    entries: tuple[Entry, ...] = ()
    spots: tuple[Spot, ...] = ()

    @property
    def tail(self) -> int:
        """The byte where the next backup begins; what an open one has written does not count."""
        return max([LOG_START, *(entry.end for entry in self.entries)])

    @property
    def is_full(self) -> bool:
        """Whether no further backup can be entered."""
        return sum(entry.state is not EntryState.OPEN for entry in self.entries) >= MAX_ENTRIES


def encode(block: Superblock) -> bytes:
    """Return a slot's bytes.

    :raises ContainerFull: it has more entries than a superblock may have.
    """
    if len(block.entries) > MAX_ENTRIES:
        raise ContainerFull(
            f"The superblock of container {block.container_id}",
            len(block.entries) * _ENTRY.size,
            MAX_ENTRIES * _ENTRY.size,
        )
    spots = block.spots[-MAX_SPOTS:]
    body = b"".join(
        [
            *(entry.encoded for entry in block.entries),
            *(_SPOT.pack(spot.container_id.bytes, spot.offset, spot.length) for spot in spots),
        ]
    )
    head = _HEAD.pack(
        MAGIC,
        VERSION,
        0,
        block.generation,
        block.container_id.bytes,
        block.device_size,
        to_microseconds(block.written),
        len(block.entries),
        HEAD_SIZE + len(body),
        len(spots),
        _SHA256,
        _NO_MAC,
        0,
        0,
        bytes(DIGEST_SIZE),
        bytes(DIGEST_SIZE),
    )
    raw = head + body
    return raw[:_CHECKSUM_AT] + hashlib.sha256(raw).digest() + raw[_BODY_AT:]


def length_of(head: bytes) -> int:
    """Return how many bytes of a slot its superblock takes; 0 where there is none.

    Magic, length and checksum stay where they are in all versions.
    """
    (length,) = struct.unpack_from("<I", head, _LENGTH_AT)
    is_one = head.startswith(MAGIC) and _BODY_AT <= length <= SLOT_SIZE
    return int(length) if is_one else 0


def decode(raw: bytes) -> Superblock | None:
    """Read a slot's bytes; None where they are damaged.

    :raises ContainerTooNew: they are whole, but another version wrote them.
    :raises ValueError: they are whole, and say what this version does not know.
    """
    checksum = raw[_CHECKSUM_AT:_BODY_AT]
    plain = raw[:_CHECKSUM_AT] + bytes(DIGEST_SIZE) + raw[_BODY_AT:]
    if hashlib.sha256(plain).digest() != checksum:
        return None
    version, flags = struct.unpack_from("<II", raw, len(MAGIC))
    if version != VERSION or flags:
        container_id = UUID(bytes=raw[24:40])
        raise ContainerTooNew(
            f"Container {container_id} has version {version} (flags {flags:#x}) of the format; "
            f"this software supports version {VERSION}."
        )
    if len(raw) < HEAD_SIZE:
        return None
    (
        *_,
        generation,
        container_id_bytes,
        device_size,
        written,
        entries,
        _length,
        spots,
        _digest,
        mac,
        _reserved,
        key_id,
        _checksum,
        _mac,
    ) = _HEAD.unpack_from(raw)
    if mac != _NO_MAC:
        raise ContainerTooNew(
            f"The superblock is authenticated with key {key_id}: this version supports no keys."
        )
    spots_at = HEAD_SIZE + entries * _ENTRY.size
    if spots_at + spots * _SPOT.size != len(raw):
        return None
    return Superblock(
        generation=generation,
        container_id=UUID(bytes=container_id_bytes),
        device_size=device_size,
        written=from_microseconds(written),
        entries=tuple(map(_decode_entry, _ENTRY.iter_unpack(raw[HEAD_SIZE:spots_at]))),
        spots=tuple(
            Spot(UUID(bytes=container), offset, length)
            for container, offset, length in _SPOT.iter_unpack(raw[spots_at:])
        ),
    )


_Fields = tuple[bytes, bytes, int, int, int, int, int, int, int, int, bytes]


def _decode_entry(fields: _Fields) -> Entry:
    (
        backup_id,
        parent_id,
        state,
        commit_length,
        start,
        end,
        commit_offset,
        started,
        changed,
        generation,
        checksum,
    ) = fields
    parent = UUID(bytes=parent_id)
    return Entry(
        backup_id=UUID(bytes=backup_id),
        parent_id=None if parent == _NO_PARENT else parent,
        state=EntryState(state),
        generation=generation,
        start=start,
        end=end,
        commit=RecordRef(commit_offset, commit_length, checksum) if commit_offset else None,
        started=from_microseconds(started),
        changed=from_microseconds(changed),
    )
