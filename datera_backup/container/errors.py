# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a container or with a backup in it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID


class ContainerError(Exception):
    """Anything a container, or a request to it, did wrong."""


class NotAContainer(ContainerError):
    """The device was never formatted."""


class AlreadyAContainer(ContainerError):
    """The device holds a container, or the remains of one, and is not formatted again."""


class ContainerTooNew(ContainerError):
    """A later version of this software wrote something that this one does not know."""


class PackageMissing(ContainerError):
    """An optional Python package is not installed that these blocks need."""


class WrongContainer(ContainerError):
    """The device holds another container than the one that was asked for."""

    def __init__(self, expected: UUID, found: UUID) -> None:
        super().__init__(
            f"Container {expected} was expected on this device, but it holds container {found}."
        )
        self.expected = expected
        self.found = found


class ContainerMissing(ContainerError):
    """A backup refers to a container that was not handed in."""

    def __init__(self, backup_id: UUID, container_id: UUID) -> None:
        super().__init__(f"Backup {backup_id} needs container {container_id}, which is not open.")
        self.backup_id = backup_id
        self.container_id = container_id


class ChainTooLong(ContainerError):
    """A backup would have blocks in more containers than the format can name."""

    def __init__(self, backup_id: UUID, most: int) -> None:
        super().__init__(
            f"Backup {backup_id} would have blocks in more than {most} containers; take a full "
            "backup."
        )
        self.backup_id = backup_id


class ContainerFull(ContainerError):
    """The device, or the superblock, has no room for what is to be written."""

    def __init__(self, what: str, needed: int, available: int) -> None:
        super().__init__(f"{what} needs {needed} bytes, but there are {available}.")
        self.needed = needed
        self.available = available


class ContainerChanged(ContainerError):
    """Another process changed the container while this one was writing to it."""


class BackupUnderWay(ContainerError):
    """A backup was begun in the container, and is not known to have ended."""

    def __init__(self, backup_id: UUID, container_id: UUID) -> None:
        super().__init__(
            f"Backup {backup_id} was begun in container {container_id}, and may still be running."
        )
        self.backup_id = backup_id
        self.container_id = container_id


class DamageKind(Enum):
    """What is wrong with bytes that should be there."""

    UNREADABLE = "unreadable"
    """The device reports an error where they lie."""
    DAMAGED = "damaged"
    """There are others."""
    ABSENT = "absent"
    """There are none: zeros, or the device ends before."""


class LayoutDamaged(ContainerError):
    """The bytes on the device are not those that were written.

    :ivar finding: in which way.
    """

    finding = DamageKind.DAMAGED


class BytesUnreadable(LayoutDamaged):
    """The device reports an error where bytes should be."""

    finding = DamageKind.UNREADABLE


class BytesUnwritable(ContainerError, OSError):
    """The device reports an error for what is written to it, or flushed."""


class BytesAbsent(LayoutDamaged):
    """There is nothing where bytes should be."""

    finding = DamageKind.ABSENT


class DeviceTooShort(LayoutDamaged):
    """The device ends before the log does: it is not the whole of what was written to."""


class SuperblockOutdated(LayoutDamaged):
    """The device returns an older superblock than the one that this process has read or written."""

    def __init__(self, container_id: UUID, found: int, known: int) -> None:
        super().__init__(
            f"The device returns generation {found} of the superblock of container "
            f"{container_id}, after generation {known}: what it returns is out of date."
        )


class ManifestDamaged(LayoutDamaged):
    """A chunk's manifest, or an index page above it, is damaged, and so is its copy."""


class CommitDamaged(LayoutDamaged):
    """A backup's commit record and its copy are not what the superblock names."""


class BlockDamaged(LayoutDamaged):
    """A stored block is not the one that was backed up."""

    def __init__(
        self,
        *,
        backup_id: UUID,
        container_id: UUID,
        block: int,
        source_offset: int,
        device_offset: int,
        length: int,
        finding: DamageKind,
        reason: str,
    ) -> None:
        """Name the block.

        :param block: its number, counted from the start of the source.
        :param length: of its stored bytes.
        """
        super().__init__(
            f"Block {block} of backup {backup_id} (byte {source_offset} of the volume) is "
            f"{finding.value} in container {container_id} at byte {device_offset}: {reason}."
        )
        self.backup_id = backup_id
        self.container_id = container_id
        self.block = block
        self.source_offset = source_offset
        self.device_offset = device_offset
        self.length = length
        self.finding = finding
        self.reason = reason


class BackupNotInContainer(ContainerError):
    """The container has no such backup, or it was deleted there."""

    def __init__(self, backup_id: UUID, container_id: UUID, *, deleted: bool = False) -> None:
        what = "was deleted from" if deleted else "is not in"
        super().__init__(f"Backup {backup_id} {what} container {container_id}.")
        self.backup_id = backup_id
        self.container_id = container_id
        self.deleted = deleted


class BackupExists(ContainerError):
    """A backup of that id was already committed in the container."""

    def __init__(self, backup_id: UUID, container_id: UUID) -> None:
        super().__init__(f"Backup {backup_id} is already in container {container_id}.")
        self.backup_id = backup_id
        self.container_id = container_id


class BackupUncommitted(ContainerError):
    """The backup was begun, but never committed."""

    def __init__(
        self,
        backup_id: UUID,
        container_id: UUID,
        *,
        started: datetime,
        segments: int,
        log_bytes: int,
    ) -> None:
        """Say how far it came.

        :param segments: segments of it that are on the device.
        :param log_bytes: bytes of the log that they and their manifests take.
        """
        super().__init__(
            f"Backup {backup_id} in container {container_id} is incomplete: it was started "
            f"{started.isoformat(timespec='seconds')} and ended without a commit after "
            f"{segments} segments ({log_bytes} bytes)."
        )
        self.backup_id = backup_id
        self.container_id = container_id
        self.started = started
        self.segments = segments
        self.log_bytes = log_bytes


class GeometryMismatch(ContainerError):
    """An incremental does not have its parent's block size, chunk size or digest."""


class BackupUnfinished(ContainerError):
    """A commit was asked for before all blocks of the source were given."""


class MetadataTooLarge(ContainerError):
    """The metadata to be committed with a backup exceeds the limit of the format."""
