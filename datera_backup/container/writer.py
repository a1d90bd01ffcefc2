# SPDX-License-Identifier: Apache-2.0
"""Appending one backup to a container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from datera_backup.container import commit as commits
from datera_backup.container import record
from datera_backup.container.clock import Clock
from datera_backup.container.codec import Codec
from datera_backup.container.commit import Commit, Statistics
from datera_backup.container.device import Buffer, Device
from datera_backup.container.errors import BackupUnfinished
from datera_backup.container.geometry import Geometry
from datera_backup.container.log import Log, Segment
from datera_backup.container.manifest import ChunkMap, ManifestBuilder
from datera_backup.container.record import RecordRef


@dataclass(frozen=True)
class NewBackup:
    """What is known of a backup before its first byte is read.

    :param source_size: bytes of the volume.
    :param geometry: an incremental takes its parent's, ``parent.commit.geometry``.
    :param codec: for the record only; the engine's settings say what compresses.
    :param metadata: JSON types, at most 1 MiB as text; comes back in ``Commit.metadata``.
    """

    backup_id: UUID
    volume_id: str
    source_size: int
    geometry: Geometry = field(default_factory=Geometry)
    parent_id: UUID | None = None
    codec: Codec = Codec.ZSTD
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)


class BackupWriter:
    """Takes a backup's blocks in their order; made by ``Container.begin``, fed by one thread."""

    def __init__(
        self,
        new: NewBackup,
        container_id: UUID,
        device: Device,
        start: int,
        *,
        started: datetime,
        segment_size: int,
        check: Callable[[], None],
        enter: Callable[[RecordRef, int], None],
        clock: Clock,
    ) -> None:
        """Start at a byte of the log.

        :param check: looks whether the backup's range is still its own; called now and then.
        :param enter: makes the superblock say that the backup is committed, given the commit
            record and the end of the backup's range.
        """
        self._new = new
        self._container_id = container_id
        self._device = device
        self._started = started
        self._check = check
        self._enter = enter
        self._clock = clock
        self._log = Log(device, container_id, start)
        self._segment = Segment(self._log, new.backup_id, segment_size, new.geometry)
        self._manifests: list[RecordRef | None] = []
        # A dictionary because it keeps the order in which the containers came up.
        self._containers: dict[UUID, None] = {container_id: None}
        self._zero_blocks = self._new_blocks = self._inherited_blocks = 0
        self._new_bytes = self._inherited_manifests = 0
        self._inherited_here = 0
        self._parent_chunk: ChunkMap | None = None
        self._begin_chunk()

    @property
    def backup_id(self) -> UUID:
        """The backup that is being written."""
        return self._new.backup_id

    @property
    def parent_id(self) -> UUID | None:
        """The backup that it is compared with."""
        return self._new.parent_id

    @property
    def source_size(self) -> int:
        """Bytes of the volume."""
        return self._new.source_size

    @property
    def geometry(self) -> Geometry:
        """How the source is cut."""
        return self._new.geometry

    @property
    def stored_bytes(self) -> int:
        """Compressed bytes taken so far; any thread may ask."""
        return self._segment.stored_bytes

    @property
    def segments(self) -> int:
        """Segments written so far: when it grows, all blocks taken before are on the device."""
        return self._segment.count

    def zeros(self, count: int) -> None:
        """Take ``count`` blocks that are all zero.

        :raises ContainerChanged: somebody else took the backup's place.
        :raises ValueError: the source has not so many blocks left.
        """
        self._zero_blocks += count
        while count:
            part = min(count, self._missing())
            self._builder.zeros(part)
            count -= part
            self._end_chunk_if_full()

    def inherit(self, chunk: ChunkMap, first: int, count: int = 1) -> None:
        """Take neighbouring blocks that equal those at the same places of the parent.

        :param chunk: the parent's chunk, :meth:`BackupReader.chunk`.
        :param first: the first block's number within the chunk; none of them may be zero there.
        :raises ContainerChanged: somebody else took the backup's place.
        :raises ValueError: the source, or the chunk, has not so many blocks, or one is zero.
        """
        if count > self._missing():
            raise ValueError(f"Chunk {chunk.number} has not {count} blocks from {first} on.")
        self._builder.inherit(chunk, first, count)
        self._inherited_blocks += count
        self._inherited_here += count
        self._parent_chunk = chunk
        self._end_chunk_if_full()

    def store(self, digest: bytes, codec: Codec, data: Buffer) -> None:
        """Take a new block.

        :param data: kept as it is: it must not change before :attr:`segments` has grown.
        :raises ContainerChanged: somebody else took the backup's place.
        :raises ContainerFull: the device ends before.
        :raises ValueError: the source has not so many blocks.
        """
        self._missing()
        offset = self._segment.add(data)
        self._builder.add(self._container_id, offset, len(data), codec, digest)
        self._new_blocks += 1
        # The source's only short block is its last one, and may be this.
        done = (len(self._manifests) * self.geometry.blocks_per_chunk) + self._builder.block_count
        self._new_bytes += self.geometry.length_of(self.source_size, done - 1)
        self._end_chunk_if_full()

    def commit(self) -> Commit:
        """Make the backup durable and valid; on return it survives a power cut.

        :raises BackupUnfinished: blocks are missing.
        :raises ContainerChanged: somebody else took the backup's place.
        :raises ContainerFull: the device ends before.
        """
        if len(self._manifests) != self.geometry.chunks(self.source_size):
            raise BackupUnfinished(f"Backup {self.backup_id} has not got all blocks of its source.")
        self._check()
        commit = self._summary()
        payload = commits.encode(commit)
        ref = self._log.append(record.pack(record.COMMIT, self.backup_id, 0, payload, 0))
        # All that the superblock is about to name must be there before it is named.
        self._device.flush()
        self._enter(ref, self._log.offset)
        return commit

    def _summary(self) -> Commit:
        return Commit(
            container_id=self._container_id,
            backup_id=self.backup_id,
            parent_id=self.parent_id,
            volume_id=self._new.volume_id,
            source_size=self.source_size,
            geometry=self.geometry,
            codec=self._new.codec,
            started=self._started,
            created=self._clock(),
            containers=tuple(self._containers),
            manifests=tuple(self._manifests),
            metadata=self._new.metadata,
            statistics=Statistics(
                zero_blocks=self._zero_blocks,
                new_blocks=self._new_blocks,
                inherited_blocks=self._inherited_blocks,
                new_bytes=self._new_bytes,
                stored_bytes=self._segment.stored_bytes,
                segments=self._segment.count,
                manifests=sum(ref is not None for ref in self._manifests),
                inherited_manifests=self._inherited_manifests,
            ),
        )

    def _begin_chunk(self) -> None:
        self._builder = ManifestBuilder(self._container_id)
        self._parent_chunk = None
        self._inherited_here = 0
        number = len(self._manifests)
        self._blocks_here = max(0, self.geometry.blocks_in_chunk(self.source_size, number))

    def _missing(self) -> int:
        missing = self._blocks_here - self._builder.block_count
        if missing <= 0:
            raise ValueError(f"Backup {self.backup_id} has all blocks of its source already.")
        return missing

    def _end_chunk_if_full(self) -> None:
        if self._builder.block_count == self._blocks_here:
            self._manifests.append(self._end_chunk())
            self._begin_chunk()

    def _end_chunk(self) -> RecordRef | None:
        if not self._builder.stored_count:
            return None
        self._containers.update(dict.fromkeys(self._builder.containers))
        parent = self._parent_chunk
        if parent is not None and self._equals(parent):
            self._inherited_manifests += 1
            return parent.ref
        self._check()
        self._segment.close()
        payload = self._builder.payload()
        number = len(self._manifests)
        count = self._builder.block_count
        return self._log.append(
            record.pack(record.MANIFEST, self.backup_id, number, payload, count)
        )

    def _equals(self, parent: ChunkMap) -> bool:
        """Whether the parent's manifest says the same and lies where this backup's would."""
        return (
            parent.home == self._container_id
            and parent.block_count == self._builder.block_count
            and parent.stored_count == self._builder.stored_count == self._inherited_here
        )
