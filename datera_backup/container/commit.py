# SPDX-License-Identifier: Apache-2.0
"""The commit record: what a backup is, and where its manifests lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import IntEnum
from typing import Any, TypeVar
from uuid import UUID

from datera_backup.container.clock import from_microseconds, to_microseconds
from datera_backup.container.codec import Codec
from datera_backup.container.errors import ContainerTooNew, MetadataTooLarge
from datera_backup.container.geometry import METADATA_LIMIT, Digest, Geometry
from datera_backup.container.record import RecordRef

_FIXED = struct.Struct("<16s16s16sQQQQIBBHIIII8x")
_REF = struct.Struct("<QI4x32s")
_UUID_SIZE = 16
_NO_PARENT = UUID(int=0)
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


@dataclass(frozen=True)
class Commit:
    """A committed backup.

    :param parent_id: the backup that an incremental was compared with.
    :param codec: what new blocks were to be compressed with; each block has its own.
    :param containers: those that hold its blocks, its own always the first.
    :param manifests: one for each chunk, None where the chunk is all zero.
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
    containers: tuple[UUID, ...]
    manifests: tuple[RecordRef | None, ...]
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
            commit.geometry.block_size,
            commit.geometry.digest,
            commit.codec,
            len(volume_id),
            len(commit.containers),
            len(commit.manifests),
            len(metadata),
            len(statistics),
        ),
        *(container.bytes for container in commit.containers),
        *map(_encode_ref, commit.manifests),
        volume_id,
        metadata,
        statistics,
    ]
    return b"".join(parts)


def _encode_ref(ref: RecordRef | None) -> bytes:
    return bytes(_REF.size) if ref is None else _REF.pack(ref.offset, ref.length, ref.checksum)


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
        block_size,
        digest,
        codec,
        volume_length,
        containers,
        manifests,
        metadata_length,
        statistics_length,
    ) = _FIXED.unpack_from(payload)
    ids_at = _FIXED.size
    refs_at = ids_at + containers * _UUID_SIZE
    volume_at = refs_at + manifests * _REF.size
    metadata_at = volume_at + volume_length
    statistics_at = metadata_at + metadata_length
    if len(payload) != statistics_at + statistics_length:
        raise ValueError("it has another length than its counts give")
    parent = UUID(bytes=parent_id)
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
        containers=tuple(
            UUID(bytes=payload[at : at + _UUID_SIZE]) for at in range(ids_at, refs_at, _UUID_SIZE)
        ),
        manifests=tuple(
            RecordRef(*ref) if ref[0] else None
            for ref in _REF.iter_unpack(payload[refs_at:volume_at])
        ),
        metadata=json.loads(payload[metadata_at:statistics_at]),
        statistics=_statistics(json.loads(payload[statistics_at:])),
    )


def _known(kind: type[_Number], number: int) -> _Number:
    try:
        return kind(number)
    except ValueError:
        raise ContainerTooNew(f"This version knows no {kind.__name__.lower()} {number}.") from None


def _statistics(stored: dict[str, int]) -> Statistics:
    """Read those that this version counts; others may be added without a new format."""
    return Statistics(**{f.name: stored.get(f.name, 0) for f in fields(Statistics)})
