# SPDX-License-Identifier: Apache-2.0
"""Appending one backup to a container."""

from __future__ import annotations

from uuid import UUID

from datera_backup.container.codec import Codec
from datera_backup.container.commit import Commit
from datera_backup.container.device import Buffer
from datera_backup.container.geometry import Geometry
from datera_backup.container.manifest import ChunkMap


class BackupWriter:
    """Takes a backup's blocks in their order; made by ``Container.begin``, fed by one thread."""

    @property
    def backup_id(self) -> UUID:
        """The backup that is being written."""
        raise NotImplementedError

    @property
    def parent_id(self) -> UUID | None:
        """The backup that it is compared with."""
        raise NotImplementedError

    @property
    def source_size(self) -> int:
        """Bytes of the volume."""
        raise NotImplementedError

    @property
    def geometry(self) -> Geometry:
        """How the source is cut."""
        raise NotImplementedError

    @property
    def stored_bytes(self) -> int:
        """Compressed bytes taken so far; any thread may ask."""
        raise NotImplementedError

    def zeros(self, count: int) -> None:
        """Take ``count`` blocks that are all zero."""
        raise NotImplementedError

    def inherit(self, chunk: ChunkMap, position: int) -> None:
        """Take a block that equals the one at the same place of the parent.

        :param chunk: the parent's chunk, :meth:`BackupReader.chunk`.
        :param position: the block's number within the chunk; it must not be zero there.
        """
        raise NotImplementedError

    def store(self, digest: bytes, codec: Codec, data: Buffer) -> None:
        """Take a new block.

        :raises ContainerFull: the device ends before.
        """
        raise NotImplementedError

    def commit(self) -> Commit:
        """Make the backup durable and valid; on return it survives a power cut.

        :raises BackupUnfinished: blocks are missing.
        :raises ContainerChanged: somebody else took the backup's place.
        :raises ContainerFull: the device ends before.
        """
        raise NotImplementedError
