# SPDX-License-Identifier: Apache-2.0
"""The layout of a container: many backups of one chain, appended on one block device."""

from datera_backup.container.codec import Codec
from datera_backup.container.commit import Commit, Statistics
from datera_backup.container.container import Container, Remains
from datera_backup.container.device import Device, FileDevice
from datera_backup.container.errors import (
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
    GeometryMismatch,
    LayoutDamaged,
    ManifestDamaged,
    MetadataTooLarge,
    NotAContainer,
    PackageMissing,
    WrongContainer,
)
from datera_backup.container.geometry import (
    DEFAULT_SEGMENT_SIZE,
    LOG_START,
    METADATA_LIMIT,
    Digest,
    Geometry,
    worst_case,
)
from datera_backup.container.manifest import ChunkMap
from datera_backup.container.reader import BackupReader
from datera_backup.container.superblock import Entry, State
from datera_backup.container.writer import BackupWriter, NewBackup

__all__ = [
    "DEFAULT_SEGMENT_SIZE",
    "LOG_START",
    "METADATA_LIMIT",
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
    "Geometry",
    "GeometryMismatch",
    "LayoutDamaged",
    "ManifestDamaged",
    "MetadataTooLarge",
    "NewBackup",
    "NotAContainer",
    "PackageMissing",
    "Remains",
    "State",
    "Statistics",
    "WrongContainer",
    "worst_case",
]
