# SPDX-License-Identifier: Apache-2.0
"""Reading one committed backup, whichever containers its blocks lie in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from datera_backup.container.commit import Commit
from datera_backup.container.container import Container
from datera_backup.container.device import Device
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
        :raises BackupIncomplete: it was begun and never committed.
        :raises CommitDamaged: its commit record is not the one that was written.
        """
        raise NotImplementedError

    @property
    def commit(self) -> Commit:
        """The commit record."""
        raise NotImplementedError

    @property
    def devices(self) -> Mapping[UUID, Device]:
        """The devices of the containers that were handed in."""
        raise NotImplementedError

    def require_all(self) -> None:
        """Check that every container that holds a block was handed in.

        :raises ContainerMissing: names the first that was not.
        """
        raise NotImplementedError

    def chunk(self, number: int) -> ChunkMap | None:
        """Read one chunk's manifest; None where the chunk is all zero.

        :raises ManifestDamaged: it is not the one that was committed.
        """
        raise NotImplementedError
