# SPDX-License-Identifier: Apache-2.0
"""The commit record: what a backup is, and where the tree of its manifests begins."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeVar
from uuid import UUID

from datera_backup.container.errors import ContainerTooNew, MetadataTooLarge
from datera_backup.container.format.clock import from_microseconds, to_microseconds
from datera_backup.container.format.codec import Codec
from datera_backup.container.format.geometry import (
    METADATA_LIMIT,
    MOST_CONTAINERS,
    Digest,
    Geometry,
)
from datera_backup.container.format.index import REF_SIZE, encode_ref
from datera_backup.container.format.index import decode as decode_refs
from datera_backup.container.format.log_record import RecordRef

_FIXED = struct.Struct("<16s16s16sQQQQQIBBHIIIIB7x")
_WRITER = struct.Struct("<16sQI")
_UUID_SIZE = 16
_NO_PARENT = UUID(int=0)
MOST_WRITERS = 256
"""Of a backup and those before it, so many are listed as having written its blocks."""

_ANY = 1 << 64
"""An upper bound of all statistics."""

MAX_PAYLOAD = 2 << 20
"""Plain bytes of a commit record at most."""

_Number = TypeVar("_Number", bound=IntEnum)


@dataclass(frozen=True)
class Statistics:
    """What a backup is made of.

    :param stored_bytes: compressed bytes of the new blocks.
    """

    zero_blocks: int = 0
    new_blocks: int = 0
    inherited_blocks: int = 0
    new_bytes: int = 0
    stored_bytes: int = 0
    segments: int = 0
    manifests: int = 0
    inherited_manifests: int = 0
    metadata_bytes: int = 0


@dataclass(frozen=True)
class Writer:
    """A backup that may have written blocks of another one.

    :param generation: of its records: what it wrote in a first attempt that failed has another.
    :param segments: how many it has.
    """

    backup_id: UUID
    generation: int
    segments: int


@dataclass(frozen=True)
class Commit:
    """A committed backup.

    :param parent_id: the backup that an incremental was compared with.
    :param codec: what new blocks were to be compressed with; each block has its own.
    :param start: the byte of the log where its range begins.
    :param containers: those that hold its blocks, its own always the first.
    :param root: the uppermost index page, or the only manifest; None where all is zero.
    :param writers: itself and the backups before it, the newest first, down to the full one.
    :param all_writers: whether ``writers`` goes down to the full one; it is cut at `MOST_WRITERS`.
    :param metadata: the caller's, as JSON types.
    """

    container_id: UUID
    backup_id: UUID
    parent_id: UUID | None
    volume_id: str
    source_size: int
    geometry: Geometry
    codec: Codec
    started: datetime
    created: datetime
    start: int
    containers: tuple[UUID, ...]
    root: RecordRef | None
    writers: tuple[Writer, ...] = ()
    all_writers: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    statistics: Statistics = field(default_factory=Statistics)


def metadata_json(metadata: Mapping[str, Any]) -> bytes:
    """Return the caller's metadata as it is stored.

    :raises MetadataTooLarge: it exceeds the format's limit.
    :raises TypeError: it holds what JSON cannot.
    """
    text = json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > METADATA_LIMIT:
        raise MetadataTooLarge(
            f"The backup's metadata takes {len(text)} bytes; at most {METADATA_LIMIT} are kept."
        )
    return text


def encode(commit: Commit) -> bytes:
    """Return the payload of a commit record."""
    volume_id = commit.volume_id.encode()
    metadata = metadata_json(commit.metadata)
    statistics = json.dumps(asdict(commit.statistics), separators=(",", ":")).encode()
    parts = [
        _FIXED.pack(
            commit.container_id.bytes,
            commit.backup_id.bytes,
            (commit.parent_id or _NO_PARENT).bytes,
            commit.source_size,
            commit.geometry.chunk_size,
            to_microseconds(commit.started),
            to_microseconds(commit.created),
            commit.start,
            commit.geometry.block_size,
            commit.geometry.digest,
            commit.codec,
            len(volume_id),
            len(commit.containers),
            len(commit.writers),
            len(metadata),
            len(statistics),
            commit.all_writers,
        ),
        encode_ref(commit.root),
        *(container.bytes for container in commit.containers),
        *(
            _WRITER.pack(one.backup_id.bytes, one.generation, one.segments)
            for one in commit.writers
        ),
        volume_id,
        metadata,
        statistics,
    ]
    return b"".join(parts)


def decode(payload: bytes) -> Commit:
    """Read a commit record's payload, whose checksum was found right.

    :raises ValueError: it does not hold what its own numbers say.
    :raises ContainerTooNew: it names a digest or a codec that this version does not know.
    """
    if len(payload) < _FIXED.size:
        raise ValueError("it is too short")
    (
        container_id,
        backup_id,
        parent_id,
        source_size,
        chunk_size,
        started,
        created,
        start,
        block_size,
        digest,
        codec,
        volume_length,
        containers,
        writers,
        metadata_length,
        statistics_length,
        all_writers,
    ) = _FIXED.unpack_from(payload)
    ids_at = _FIXED.size + REF_SIZE
    writers_at = ids_at + containers * _UUID_SIZE
    volume_at = writers_at + writers * _WRITER.size
    metadata_at = volume_at + volume_length
    statistics_at = metadata_at + metadata_length
    if len(payload) != statistics_at + statistics_length:
        raise ValueError("its length does not match its counts")
    parent = UUID(bytes=parent_id)
    if not 1 <= containers <= MOST_CONTAINERS or writers > MOST_WRITERS:
        raise ValueError(f"it names {containers} containers and {writers} writers")
    return Commit(
        container_id=UUID(bytes=container_id),
        backup_id=UUID(bytes=backup_id),
        parent_id=None if parent == _NO_PARENT else parent,
        volume_id=payload[volume_at:metadata_at].decode(),
        source_size=source_size,
        geometry=Geometry(block_size, chunk_size, _known(Digest, digest)),
        codec=_known(Codec, codec),
        started=from_microseconds(started),
        created=from_microseconds(created),
        start=start,
        containers=tuple(
            UUID(bytes=payload[at : at + _UUID_SIZE])
            for at in range(ids_at, writers_at, _UUID_SIZE)
        ),
        root=decode_refs(payload[_FIXED.size : ids_at])[0],
        writers=tuple(
            Writer(UUID(bytes=raw), generation, segments)
            for raw, generation, segments in _WRITER.iter_unpack(payload[writers_at:volume_at])
        ),
        all_writers=bool(all_writers),
        metadata=_object(payload[metadata_at:statistics_at]),
        statistics=_statistics(_object(payload[statistics_at:])),
    )


def _known(kind: type[_Number], number: int) -> _Number:
    try:
        return kind(number)
    except ValueError:
        raise ContainerTooNew(
            f"This version does not support {kind.__name__.lower()} {number}."
        ) from None


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("its JSON is not an object")
    return found


def _statistics(stored: dict[str, Any]) -> Statistics:
    """Read those that this version counts; others may be added without a new format."""
    numbers = {f.name: stored.get(f.name, 0) for f in fields(Statistics)}
    if not all(type(number) is int and 0 <= number < _ANY for number in numbers.values()):
        raise ValueError("its statistics are not numbers of things")
    return Statistics(**numbers)
