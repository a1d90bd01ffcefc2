# SPDX-License-Identifier: Apache-2.0
"""Reading one committed backup, from all containers that hold its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from datera_backup.container import notices
from datera_backup.container.copies import Copies
from datera_backup.container.device import Device
from datera_backup.container.errors import ContainerMissing, ManifestDamaged
from datera_backup.container.format import manifest
from datera_backup.container.format.commit import Commit
from datera_backup.container.format.index import Refs
from datera_backup.container.format.log_record import MANIFEST, RecordRef
from datera_backup.container.format.manifest import ChunkMap
from datera_backup.container.tree import Stretch, TreeReader


class Home(Protocol):
    """What reading needs of a container: an open one, or one found by a scan."""

    @property
    def id(self) -> UUID:
        """The container's id."""

    @property
    def device(self) -> Device:
        """The device below."""

    @property
    def copies(self) -> Copies:
        """Its metadata."""

    def commit_of(self, backup_id: UUID) -> Commit:
        """Return a committed backup's record."""

    @property
    def distrusts_any(self) -> bool:
        """Whether any block was found bad once."""

    def distrusts(self, container_id: UUID, offset: int) -> bool:
        """Whether a block was found bad once, by where it lies."""

    def require(self, backup_id: UUID, *, or_dying: bool = False) -> None:
        """Check again that a backup is committed, or at least that its space is not reclaimed."""


class BackupReader:
    """A committed backup; many threads may use it at once."""

    def __init__(self, home: Home, backup_id: UUID, others: Iterable[Home] = ()) -> None:
        """Read the commit record.

        As the parent of an incremental a backup needs only its own container; to be restored it
        needs all of ``commit.containers`` (see :meth:`require_all`).

        :param home: the container that the backup was written to.
        :param others: the other containers of the chain, in any order; more than needed is fine.
        :raises BackupNotInContainer: it is not in ``home``.
        :raises BackupUncommitted: it was begun and never committed.
        :raises CommitDamaged: its commit record is not the one that was written.
        """
        self._home = home
        self._commit = home.commit_of(backup_id)
        self._containers = {container.id: container for container in (home, *others)}
        self._tree = TreeReader(home.copies, self._commit, self._damaged)
        self._last: tuple[int, ChunkMap | None] = (-1, None)

    @property
    def commit(self) -> Commit:
        """The commit record."""
        return self._commit

    @property
    def home_id(self) -> UUID:
        """The container that the backup was written to, and all of its metadata."""
        return self._home.id

    @property
    def devices(self) -> Mapping[UUID, Device]:
        """The devices of the containers that were handed in."""
        return MappingProxyType({key: one.device for key, one in self._containers.items()})

    def require_living(self, *, or_dying: bool = False) -> None:
        """Check again that the backup is still committed.

        :param or_dying: it may have been deleted, as long as nothing of it was given back.
        :raises BackupNotInContainer: it was deleted.
        """
        self._home.require(self._commit.backup_id, or_dying=or_dying)

    def require_all(self) -> None:
        """Check that every container that holds a block was handed in.

        :raises ContainerMissing: names the first that was not.
        """
        for container_id in self._commit.containers:
            if container_id not in self._containers:
                raise ContainerMissing(self._commit.backup_id, container_id)

    def look_at_copies(self) -> None:
        """From now on, check both copies of all metadata that is read.

        :raises CommitDamaged: neither of the commit record is.
        """
        self._home.copies.thorough = True
        self._commit = self._home.commit_of(self._commit.backup_id)
        # What was read before was not looked at in that way.
        self._tree = TreeReader(self._home.copies, self._commit, self._damaged)
        self._last = (-1, None)

    def page(self, level: int, number: int) -> tuple[RecordRef | None, Refs]:
        """Return an index page and what refers to it; nothing where all below it is zero.

        :raises ManifestDamaged: it is not the one that was committed, and neither is its copy.
        """
        return self._tree.page(level, number)

    def ref(self, level: int, number: int) -> RecordRef | None:
        """Return what refers to an index page, which is not read; that of level 0 is a manifest.

        :returns: None where all below it is zero, or there is no such page.
        :raises ManifestDamaged: an index page above it is damaged.
        """
        return self._tree.ref(level, number)

    @property
    def chunk_count(self) -> int:
        """Chunks of the source."""
        return self._commit.geometry.chunks(self._commit.source_size)

    @property
    def depth(self) -> int:
        """Levels of index pages."""
        return self._tree.depth

    def stretches(self) -> Iterator[Stretch]:
        """Yield all chunks in their order, those together that are zero, or lost with one page.

        However large the source is said to be, it takes no longer than reading all index pages.
        """
        return self._tree.stretches() if self.chunk_count else iter(())

    def manifest_ref(self, number: int) -> RecordRef | None:
        """Return where a chunk's manifest lies; None where the chunk is all zero.

        :raises ManifestDamaged: an index page above it is damaged.
        """
        return self._tree.manifest(number)

    def chunk(self, number: int) -> ChunkMap | None:
        """Read one chunk's manifest; None where the chunk is all zero.

        :raises ManifestDamaged: it is not the one that was committed, and neither is its copy.
        """
        # A chunk with many holes is asked for many times.
        last = self._last
        if last[0] != number:
            ref = self._tree.manifest(number)
            last = self._last = (number, None if ref is None else self.chunk_at(ref, number))
        return last[1]

    def chunk_at(self, ref: RecordRef, number: int) -> ChunkMap:
        """Read the manifest that a page refers to.

        :raises ManifestDamaged: it is not the one that was committed, and neither is its copy.
        """
        commit = self._commit

        def damaged(reason: str) -> ManifestDamaged:
            return self._damaged(f"manifest of chunk {number}", reason)

        blocks = commit.geometry.blocks_in_chunk(commit.source_size, number)
        payload = self._home.copies.read(
            ref, (MANIFEST, 0, number), manifest.max_payload(blocks), damaged
        )
        try:
            chunk = manifest.decode(payload, self._home.id, ref, number)
        except ValueError as exc:
            raise damaged(str(exc)) from exc
        if chunk.block_count != blocks:
            raise damaged(f"it is of {chunk.block_count} blocks")
        if max(chunk.lengths, default=0) > commit.geometry.block_size:
            raise damaged("it has a block longer than the block size")
        if not set(chunk.containers) <= set(commit.containers):
            raise damaged("it refers to a container that the commit record does not name")
        return chunk

    def inheritable(self, number: int) -> ChunkMap | None:
        """Return what of a chunk an incremental may refer to; None where that is nothing.

        What is known to be bad, or cannot be known, has to be stored anew.
        """
        if number >= self.chunk_count:
            return None
        try:
            chunk = self.chunk(number)
        except ManifestDamaged as exc:
            notices.tell(f"{exc} Its blocks are stored again.")
            return None
        if chunk is None or not self._distrusts_any:
            return chunk
        return chunk.without(self._distrusted)

    @property
    def _distrusts_any(self) -> bool:
        return any(container.distrusts_any for container in self._containers.values())

    def _distrusted(self, container_id: UUID, offset: int) -> bool:
        return any(one.distrusts(container_id, offset) for one in self._containers.values())

    def _damaged(self, what: str, reason: str) -> ManifestDamaged:
        return ManifestDamaged(
            f"The {what} of backup {self._commit.backup_id} in container {self._home.id} is "
            f"damaged: {reason}."
        )
