# SPDX-License-Identifier: Apache-2.0
"""The layout of a container: many backups of one chain, appended on one block device."""

from datera_backup.container.container import Container, Remains
from datera_backup.container.device import Device, FileDevice
from datera_backup.container.errors import (
    Absent,
    AlreadyAContainer,
    BackupExists,
    BackupNotInContainer,
    BackupUncommitted,
    BackupUnderWay,
    BackupUnfinished,
    BlockDamaged,
    CommitDamaged,
    ContainerChanged,
    ContainerError,
    ContainerFull,
    ContainerMissing,
    ContainerTooNew,
    DeviceTooShort,
    Finding,
    GeometryMismatch,
    LayoutDamaged,
    ManifestDamaged,
    MetadataTooLarge,
    NotAContainer,
    PackageMissing,
    Unreadable,
    WrongContainer,
)
from datera_backup.container.format.capacity import worst_case
from datera_backup.container.format.codec import Codec
from datera_backup.container.format.commit import Commit, Statistics
from datera_backup.container.format.geometry import (
    CHUNK_BLOCKS,
    DEFAULT_SEGMENT_SIZE,
    LOG_START,
    METADATA_LIMIT,
    Digest,
    Geometry,
)
from datera_backup.container.format.manifest import ChunkMap
from datera_backup.container.format.superblock import Entry, Spot, State
from datera_backup.container.reader import BackupReader
from datera_backup.container.writer import BackupWriter, NewBackup

__all__ = [
    "CHUNK_BLOCKS",
    "DEFAULT_SEGMENT_SIZE",
    "LOG_START",
    "METADATA_LIMIT",
    "Absent",
    "AlreadyAContainer",
    "BackupExists",
    "BackupNotInContainer",
    "BackupReader",
    "BackupUncommitted",
    "BackupUnderWay",
    "BackupUnfinished",
    "BackupWriter",
    "BlockDamaged",
    "ChunkMap",
    "Codec",
    "Commit",
    "CommitDamaged",
    "Container",
    "ContainerChanged",
    "ContainerError",
    "ContainerFull",
    "ContainerMissing",
    "ContainerTooNew",
    "Device",
    "DeviceTooShort",
    "Digest",
    "Entry",
    "FileDevice",
    "Finding",
    "Geometry",
    "GeometryMismatch",
    "LayoutDamaged",
    "ManifestDamaged",
    "MetadataTooLarge",
    "NewBackup",
    "NotAContainer",
    "PackageMissing",
    "Remains",
    "Spot",
    "State",
    "Statistics",
    "Unreadable",
    "WrongContainer",
    "worst_case",
]
