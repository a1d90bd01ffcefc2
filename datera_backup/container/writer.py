# SPDX-License-Identifier: Apache-2.0
"""Appending one backup to a container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from datera_backup.container.device import Buffer, Device
from datera_backup.container.errors import (
    BackupUnfinished,
    ChainTooLong,
    GeometryMismatch,
    ManifestDamaged,
)
from datera_backup.container.format import commit as commits
from datera_backup.container.format import index
from datera_backup.container.format.clock import Clock
from datera_backup.container.format.codec import Codec
from datera_backup.container.format.commit import MOST_WRITERS, Commit, Statistics, Writer
from datera_backup.container.format.geometry import MOST_CONTAINERS, Geometry
from datera_backup.container.format.index import Refs
from datera_backup.container.format.log_record import COMMIT, INDEX, MANIFEST, Owner, RecordRef
from datera_backup.container.format.manifest import ChunkMap, ManifestBuilder
from datera_backup.container.log import Log, MetadataAreas, Segments
from datera_backup.container.reader import BackupReader
from datera_backup.container.tree import TreeWriter
from datera_backup.container.writes import Writes

_CHUNKS_PER_CHECK = 64
"""Another writer is noticed within so many changed chunks; a check costs two reads."""


@dataclass(frozen=True)
class NewBackup:
    """What is known of a backup before its first byte is read.

    :param source_size: bytes of the volume.
    :param geometry: an incremental takes its parent's, ``parent.commit.geometry``.
    :param codec: for the record only; the engine's settings say what compresses.
    :param metadata: JSON types, at most 768 KiB as text; comes back in ``Commit.metadata``.
    """

    backup_id: UUID
    volume_id: str
    source_size: int
    geometry: Geometry = field(default_factory=Geometry)
    codec: Codec = Codec.ZSTD
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)


class BackupWriter:
    """Takes a backup's blocks in their order; made by ``Container.begin``, fed by one thread."""

    def __init__(
        self,
        new: NewBackup,
        owner: Owner,
        device: Device,
        start: int,
        *,
        parent: BackupReader | None,
        started: datetime,
        segment_size: int,
        check: Callable[[], None],
        commit: Callable[[RecordRef, int], None],
        clock: Clock,
    ) -> None:
        """Start at a byte of the log.

        :param check: checks that the backup's range is still its own; called now and then.
        :param commit: makes the superblock say that the backup is committed, given the commit
            record and the end of the backup's range.
        :raises GeometryMismatch: the backup has not its parent's geometry.
        """
        if parent is not None and parent.commit.geometry != new.geometry:
            raise GeometryMismatch(
                f"Backup {new.backup_id} has {new.geometry}, but its parent "
                f"{parent.commit.backup_id} has {parent.commit.geometry}."
            )
        self._new = new
        self._owner = owner
        self._device = device
        self._start = start
        self._parent = parent
        self._started = started
        self._check = check
        self._commit = commit
        self._clock = clock
        self._log = Log(device, owner.container_id, start)
        self._segments = Segments(self._log, owner, segment_size, new.geometry)
        self._metadata = MetadataAreas(self._log, owner, self._segments.close)
        at_home = parent is not None and parent.home_id == owner.container_id
        self._tree = TreeWriter(
            new.geometry.chunks(new.source_size), self._put_page, parent if at_home else None
        )
        self._chunks = self._manifests = self._inherited_manifests = 0
        # A dictionary because it keeps the order in which the containers came up.
        self._containers: dict[UUID, None] = {owner.container_id: None}
        self._zero_blocks = self._new_blocks = self._inherited_blocks = 0
        # Bytes by which the new blocks are fewer than as many whole ones.
        self._short_by = 0
        self._inherited_here = 0
        self._parent_chunk: ChunkMap | None = None
        self._builder = ManifestBuilder(owner.container_id)
        self._first_block = 0
        self._blocks_here = self._blocks_in_next()

    @property
    def backup_id(self) -> UUID:
        """The backup that is being written."""
        return self._new.backup_id

    @property
    def parent(self) -> BackupReader | None:
        """The backup that it is compared with."""
        return self._parent

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
        return self._segments.stored_bytes

    @property
    def segments(self) -> int:
        """Segments that are on the device; those before them are, too."""
        return self._segments.written

    @property
    def segment(self) -> int:
        """The number of the segment that the next block goes to, or the one after it."""
        return self._segments.count

    def write_through(self, writes: Writes) -> None:
        """Have the backup's bytes written by somebody else; before the first block is taken."""
        self._log.writes = writes

    def compared_with(self, chunk: ChunkMap) -> None:
        """Take note of the parent's chunk at the place of the next block: it is not read again."""
        if chunk.number == self._chunks:
            self._parent_chunk = chunk

    def zeros(self, count: int) -> None:
        """Take ``count`` blocks that are all zero.

        :raises ContainerChanged: another process took the backup's range.
        :raises ValueError: the source has not so many blocks left.
        """
        self._zero_blocks += count
        while count:
            if self._is_nothing_new(count):
                count -= self._blocks_here
                self._tree.add(None, inherited=True)
                self._chunks += 1
                self._begin_chunk()
                continue
            part = min(count, self._missing())
            self._builder.zeros(part)
            count -= part
            self._end_chunk_if_full()

    def inherit(self, chunk: ChunkMap, first: int, count: int = 1) -> None:
        """Take neighbouring blocks that equal those at the same places of the parent.

        :param chunk: the parent's chunk, :meth:`BackupReader.inheritable`.
        :param first: the first block's number within the chunk; none of them may be zero there.
        :raises ChainTooLong: the backup would have blocks in too many containers.
        :raises ContainerChanged: another process took the backup's range.
        :raises ValueError: the source, or the chunk, has not so many blocks, or one is zero.
        """
        if count > self._missing():
            raise ValueError(f"Chunk {chunk.number} does not have {count} blocks from {first} on.")
        self._builder.inherit(chunk, first, count)
        self._inherited_blocks += count
        self._inherited_here += count
        self._parent_chunk = chunk
        self._end_chunk_if_full()

    def store(self, digest: bytes, codec: Codec, data: Buffer) -> None:
        """Take a new block.

        :param data: kept as it is: it must not change before :attr:`segments` is above what
            :attr:`segment` is then.
        :raises ContainerChanged: another process took the backup's range.
        :raises ContainerFull: the device ends before.
        :raises ValueError: the source has not so many blocks.
        """
        builder = self._builder
        place = builder.block_count
        if place >= self._blocks_here:
            self._missing()
        block = self._first_block + place
        offset = self._segments.add(block, digest, codec, data)
        builder.add(self._owner.container_id, offset, len(data), codec, digest)
        self._new_blocks += 1
        if place + 1 == self._blocks_here:
            # The source's only short block is its last one, and may be this.
            whole, length = self.geometry.block_size, self.geometry.length_of
            self._short_by += whole - length(self.source_size, block)
            self._end_chunk_if_full()

    def commit(self) -> Commit:
        """Make the backup durable and valid; on return it survives a power cut.

        :raises BackupUnfinished: blocks are missing.
        :raises ContainerChanged: another process took the backup's range.
        :raises ContainerFull: the device ends before.
        """
        if self._chunks != self.geometry.chunks(self.source_size):
            raise BackupUnfinished(f"Backup {self.backup_id} is missing blocks of its source.")
        self._check()
        root = self._tree.finish()
        self._segments.close()
        # The commit record is discarded when the backup is deleted: nothing else lies beside it.
        self._metadata.flush()
        # A commit record stands for all that it names, so that is there first.
        self._log.writes.wait()
        commit = self._summary(root)
        ref = self._metadata.put(COMMIT, 0, commits.encode(commit), count=0)
        self._metadata.flush()
        self._log.writes.wait()
        # All that the superblock is about to name must be there before it is named.
        self._device.flush()
        self._commit(ref, self._metadata.end)
        return commit

    def _summary(self, root: RecordRef | None) -> Commit:
        parent = None if self._parent is None else self._parent.commit
        before = () if parent is None else parent.writers
        own = Writer(self.backup_id, self._owner.generation, self._segments.count)
        writers = (own, *before)
        return Commit(
            container_id=self._owner.container_id,
            backup_id=self.backup_id,
            parent_id=None if parent is None else parent.backup_id,
            volume_id=self._new.volume_id,
            source_size=self.source_size,
            geometry=self.geometry,
            codec=self._new.codec,
            started=self._started,
            created=self._clock(),
            start=self._start,
            containers=tuple(self._containers),
            root=root,
            writers=writers[:MOST_WRITERS],
            all_writers=len(writers) <= MOST_WRITERS and (parent is None or parent.all_writers),
            metadata=self._new.metadata,
            statistics=Statistics(
                zero_blocks=self._zero_blocks,
                new_blocks=self._new_blocks,
                inherited_blocks=self._inherited_blocks,
                new_bytes=self._new_blocks * self.geometry.block_size - self._short_by,
                stored_bytes=self._segments.stored_bytes,
                segments=self._segments.count,
                manifests=self._manifests,
                inherited_manifests=self._inherited_manifests,
                metadata_bytes=self._metadata.stored_bytes,
            ),
        )

    def _is_nothing_new(self, zeros: int) -> bool:
        """Whether the next blocks are a whole chunk of zeros, as it is in the parent."""
        if self._builder.block_count or not 0 < self._blocks_here <= zeros:
            return False
        parent, number = self._parent, self._chunks
        if parent is None:
            return True
        if self.geometry.blocks_in_chunk(parent.commit.source_size, number) < self._blocks_here:
            return False
        try:
            return parent.manifest_ref(number) is None
        except ManifestDamaged:
            return False

    def _begin_chunk(self) -> None:
        self._first_block = self._chunks * self.geometry.blocks_per_chunk
        if not self._builder.block_count:
            # Many chunks of a large volume are passed over: what is empty serves again.
            self._blocks_here = self._blocks_in_next()
            return
        self._builder = ManifestBuilder(self._owner.container_id)
        self._parent_chunk = None
        self._inherited_here = 0
        self._blocks_here = self._blocks_in_next()

    def _blocks_in_next(self) -> int:
        return max(0, self.geometry.blocks_in_chunk(self.source_size, self._chunks))

    def _missing(self) -> int:
        missing = self._blocks_here - self._builder.block_count
        if missing <= 0:
            raise ValueError(f"Backup {self.backup_id} has all blocks of its source already.")
        return missing

    def _end_chunk_if_full(self) -> None:
        if self._builder.block_count == self._blocks_here:
            self._end_chunk()
            self._chunks += 1
            self._begin_chunk()

    def _end_chunk(self) -> None:
        parent = self._parent_chunk
        if parent is not None and self._equals(parent):
            self._manifests += 1
            self._inherited_manifests += 1
            self._containers.update(dict.fromkeys(parent.containers))
            self._tree.add(parent.ref, inherited=True)
            return
        self._check_now_and_then()
        was_zero = self._note_zeroed()
        if not self._builder.stored_count:
            self._tree.add(None, inherited=was_zero)
            return
        self._containers.update(dict.fromkeys(self._builder.containers))
        if len(self._containers) > MOST_CONTAINERS:
            raise ChainTooLong(self.backup_id, MOST_CONTAINERS)
        ref = self._metadata.put(
            MANIFEST, self._chunks, self._builder.payload(), count=self._builder.block_count
        )
        self._manifests += 1
        self._tree.add(ref, inherited=False)

    def _check_now_and_then(self) -> None:
        if self._chunks % _CHUNKS_PER_CHECK == 0:
            self._check()

    def _note_zeroed(self) -> bool:
        """Write down which blocks became zero, and return whether the parent's are all zero too."""
        parent, number = self._parent, self._chunks
        if parent is None:
            return True
        blocks = max(0, self.geometry.blocks_in_chunk(parent.commit.source_size, number))
        was_zero = False
        try:
            # The one that blocks were inherited from has been read already.
            chunk = self._parent_chunk or (parent.chunk(number) if blocks else None)
        except ManifestDamaged:
            before = b""
        else:
            was_zero = chunk is None
            before = bytes(blocks) if chunk is None else chunk.codecs
        # What the parent does not reach, a backup before it may have.
        if not was_zero or blocks < self._blocks_here:
            first = number * self.geometry.blocks_per_chunk
            for start, end in self._builder.zero_runs(unless_zero_in=before):
                self._segments.zeroed(first + start, end - start)
        return was_zero

    def _put_page(self, level: int, number: int, refs: Refs) -> RecordRef:
        return self._metadata.put(INDEX, number, index.encode(refs), count=len(refs), level=level)

    def _equals(self, parent: ChunkMap) -> bool:
        """Whether the parent's manifest says the same and lies where this backup's would."""
        return (
            parent.home == self._owner.container_id
            and parent.block_count == self._builder.block_count
            and parent.stored_count == self._builder.stored_count == self._inherited_here
        )
