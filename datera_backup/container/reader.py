# SPDX-License-Identifier: Apache-2.0
"""Reading one committed backup, whichever containers its blocks lie in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from uuid import UUID

from datera_backup.container import manifest, record
from datera_backup.container.commit import Commit
from datera_backup.container.container import Container
from datera_backup.container.device import Device
from datera_backup.container.errors import ContainerMissing, ManifestDamaged
from datera_backup.container.manifest import ChunkMap


class BackupReader:
    """A committed backup; many threads may use it at once."""

    def __init__(self, home: Container, backup_id: UUID, others: Iterable[Container] = ()) -> None:
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
        self._devices = {container.id: container.device for container in (home, *others)}

    @property
    def commit(self) -> Commit:
        """The commit record."""
        return self._commit

    @property
    def devices(self) -> Mapping[UUID, Device]:
        """The devices of the containers that were handed in."""
        return MappingProxyType(self._devices)

    def require_all(self) -> None:
        """Check that every container that holds a block was handed in.

        :raises ContainerMissing: names the first that was not.
        """
        for container_id in self._commit.containers:
            if container_id not in self._devices:
                raise ContainerMissing(self._commit.backup_id, container_id)

    def chunk(self, number: int) -> ChunkMap | None:
        """Read one chunk's manifest; None where the chunk is all zero.

        :raises ManifestDamaged: it is not the one that was committed.
        """
        commit = self._commit
        ref = commit.manifests[number]
        if ref is None:
            return None

        def damaged(reason: str) -> ManifestDamaged:
            return ManifestDamaged(
                f"The manifest of chunk {number} of backup {commit.backup_id} in container "
                f"{self._home.id} at byte {ref.offset} is damaged: {reason}."
            )

        payload = record.unpack(self._home.device, ref, (record.MANIFEST, number), damaged)
        try:
            chunk = manifest.decode(payload, self._home.id, ref, number)
        except ValueError as exc:
            raise damaged(str(exc)) from exc
        if chunk.block_count != commit.geometry.blocks_in_chunk(commit.source_size, number):
            raise damaged(f"it is of {chunk.block_count} blocks")
        if max(chunk.lengths, default=0) > commit.geometry.block_size:
            raise damaged("it has a block that is longer than blocks are")
        if not set(chunk.containers) <= set(commit.containers):
            raise damaged("it refers to a container that the commit does not name")
        return chunk
