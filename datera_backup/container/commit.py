# SPDX-License-Identifier: Apache-2.0
"""The commit record: what a backup is, and where its manifests lie."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from datera_backup.container.clock import to_microseconds
from datera_backup.container.codec import Codec
from datera_backup.container.errors import CommitDamaged, MetadataTooLarge
from datera_backup.container.geometry import METADATA_LIMIT, Geometry

_FIXED = struct.Struct("<16s16s16sQQQIBBHIIH10x")
_REF = struct.Struct("<QI4x32s")
_NO_PARENT = UUID(int=0)


@dataclass(frozen=True)
class ManifestRef:
    """Where in the backup's own container the manifest of one chunk lies."""

    offset: int
    length: int
    checksum: bytes


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
    manifests: tuple[ManifestRef | None, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
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
            to_microseconds(commit.started),
            commit.geometry.chunk_size,
            commit.geometry.block_size,
            commit.geometry.digest,
            commit.codec,
            len(volume_id),
            len(metadata),
            len(statistics),
            len(commit.containers),
        ),
        struct.pack("<Q", to_microseconds(commit.created)),
        *(container.bytes for container in commit.containers),
        *(
            bytes(_REF.size) if ref is None else _REF.pack(ref.offset, ref.length, ref.checksum)
            for ref in commit.manifests
        ),
        volume_id,
        metadata,
        statistics,
    ]
    return b"".join(parts)


def decode(payload: bytes) -> Commit:
    """Read the payload of a commit record, whose checksum was found right.

    :raises CommitDamaged: it does not hold what its own numbers say.
    :raises ContainerTooNew: it names a digest or codec that this version does not know.
    """
    try:
        return _decode(payload)
    except (struct.error, UnicodeDecodeError, json.JSONDecodeError, TypeError) as exc:
        raise CommitDamaged(f"A commit record does not hold what it says: {exc}.") from exc


def _decode(payload: bytes) -> Commit:
    raise NotImplementedError
