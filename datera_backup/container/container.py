# SPDX-License-Identifier: Apache-2.0
"""A container: the backups of one chain on one block device."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from uuid import UUID

from datera_backup.container.clock import Clock, utc_now
from datera_backup.container.codec import Codec
from datera_backup.container.commit import Commit
from datera_backup.container.device import Device
from datera_backup.container.geometry import DEFAULT_SEGMENT_SIZE, Geometry
from datera_backup.container.superblock import Entry
from datera_backup.container.writer import BackupWriter


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
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Remains(Enum):
    """What a container holds after a backup was dropped."""

    EMPTY = "empty"
    """Nothing: the device can be deleted."""
    BACKUPS = "backups"
    """Other backups, or one that was begun."""


class Container:
    """An open container.

    One process at a time may change it; whoever calls :meth:`begin` or :meth:`drop` holds a lock.
    Any number may read committed backups meanwhile. An object serves one thread at a time, but
    readers that were made from it serve many.
    """

    @classmethod
    def format(cls, device: Device, container_id: UUID, *, clock: Clock = utc_now) -> Container:
        """Make an empty container.

        :param container_id: the id of the first backup that will lie in it.
        :raises AlreadyAContainer: the device holds one, or remains of one.
        :raises ContainerFull: the device is smaller than an empty container.
        """
        raise NotImplementedError

    @classmethod
    def open(
        cls, device: Device, expected: UUID | None = None, *, clock: Clock = utc_now
    ) -> Container:
        """Open what was formatted.

        :param expected: the container that should lie there.
        :raises NotAContainer: the device was never formatted.
        :raises WrongContainer: another container lies there.
        :raises ContainerDamaged: no superblock is whole, or the device ends before the log does.
        :raises ContainerTooNew: a later version wrote it.
        """
        raise NotImplementedError

    @property
    def id(self) -> UUID:
        """The container's id, which is that of the first backup in it."""
        raise NotImplementedError

    @property
    def device(self) -> Device:
        """The device below."""
        raise NotImplementedError

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All backups that the superblock knows, in the order of the log, dead ones too."""
        raise NotImplementedError

    @property
    def committed(self) -> tuple[UUID, ...]:
        """The backups that can be restored, oldest first."""
        raise NotImplementedError

    @property
    def damaged_slots(self) -> tuple[int, ...]:
        """Superblock slots (0, 1) that were not readable; the other one serves."""
        raise NotImplementedError

    @property
    def tail(self) -> int:
        """The byte where the next backup begins."""
        raise NotImplementedError

    @property
    def room(self) -> int:
        """Bytes between the tail and the end of the device as it is now."""
        raise NotImplementedError

    def commit_of(self, backup_id: UUID) -> Commit:
        """Return a committed backup's record; ``.containers`` says what a restore needs open.

        :raises BackupNotInContainer: it is not here, or was deleted.
        :raises BackupIncomplete: it was begun and never committed.
        :raises CommitDamaged: the record is not the one that was written.
        """
        raise NotImplementedError

    def begin(
        self,
        new: NewBackup,
        *,
        living: Collection[UUID],
        segment_size: int = DEFAULT_SEGMENT_SIZE,
    ) -> BackupWriter:
        """Enter a backup as begun, durably, and return what takes its blocks.

        The range of a backup that was begun and never committed is used again.

        :param living: all backups that are known to be good here. Each must be committed in the
            superblock, so that a damaged superblock never leads to overwriting them.
        :raises ContainerDamaged: one of ``living`` is not committed here.
        :raises BackupExists: ``new.backup_id`` is committed here or was.
        :raises MetadataTooLarge: the metadata exceeds the format's limit.
        :raises ContainerFull: the superblock has no room for another backup.
        """
        raise NotImplementedError

    def drop(self, backup_id: UUID) -> Remains:
        """Delete a backup, committed or only begun, and say what is left.

        The newest gives its range back, another one's is marked dead.

        :raises BackupNotInContainer: it is not here, or was deleted before.
        """
        raise NotImplementedError
