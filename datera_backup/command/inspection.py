# SPDX-License-Identifier: Apache-2.0
"""Look at a container on a device, as far as it can be read, and change nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from datera_backup.container import (
    BackupReader,
    BackupUncommitted,
    Commit,
    Container,
    ContainerError,
    ContainerTooNew,
    Entry,
    FileDevice,
    PackageMissing,
    State,
)
from datera_backup.container.codec import Codec
from datera_backup.container.slots import Slots
from datera_backup.container.superblock import VERSION, Superblock

UNREAD = (OSError, ContainerTooNew, PackageMissing)
"""Errors that say that something could not be read here, and nothing of what it is."""


@dataclass(frozen=True)
class Backup:
    """One backup of the container.

    :ivar commit: None where it has none, or one that cannot be read.
    :ivar codecs: how many of its blocks, inherited ones too, are stored by which codec.
    :ivar manifests: chunks that have a manifest, of ``chunks`` in all.
    :ivar note: how far an open backup came.
    :ivar damage: what is not what was written, one line each.
    :ivar unknown: what could not be read for another reason, one line each.
    """

    entry: Entry
    commit: Commit | None = None
    codecs: Counter[str] = field(default_factory=Counter)
    manifests: int = 0
    chunks: int = 0
    note: str = ""
    damage: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What lies on a device.

    :ivar slots: the two places of the superblock; None where one is not whole.
    :ivar size: bytes of the device, up to ``tail`` of which backups take.
    """

    device: str
    size: int
    version: int
    id: UUID
    tail: int
    slots: tuple[Superblock | None, ...]
    backups: tuple[Backup, ...]

    @property
    def damage(self) -> list[str]:
        """All that is not what was written."""
        slots = [
            f"Superblock {number} is not whole; the other one serves."
            for number, block in enumerate(self.slots)
            if block is None
        ]
        return slots + [line for backup in self.backups for line in backup.damage]

    @property
    def unknown(self) -> list[str]:
        """All that could not be read, which proves no damage."""
        return [line for backup in self.backups for line in backup.unknown]


def inspect(path: Path) -> Inspection:
    """Read superblocks, commit records and manifests; the blocks themselves are not read.

    :raises ContainerError: there is no container that this version can read.
    :raises OSError: the device cannot be opened or read.
    """
    with FileDevice(path, writable=False) as device:
        container = Container.open(device)
        return Inspection(
            device=str(path),
            size=device.size,
            version=VERSION,
            id=container.id,
            tail=container.tail,
            slots=Slots(device).both(),
            backups=tuple(_backup(container, entry) for entry in container.entries),
        )


def _backup(container: Container, entry: Entry) -> Backup:
    if entry.state is State.DEAD:
        return Backup(
            entry, note="deleted; its room is given back together with that of those after it"
        )
    try:
        reader = BackupReader(container, entry.backup_id)
    except BackupUncommitted as open_one:
        return Backup(entry, note=str(open_one))
    except UNREAD as unread:
        return Backup(entry, unknown=(_unread(entry, unread),))
    except ContainerError as damage:
        return Backup(entry, damage=(str(damage),))
    codecs: Counter[str] = Counter()
    damaged, unknown = [], []
    commit = reader.commit
    for number in range(len(commit.manifests)):
        try:
            chunk = reader.chunk(number)
        except UNREAD as unread:
            unknown.append(_unread(entry, unread))
            continue
        except ContainerError as damage:
            damaged.append(str(damage))
            continue
        if chunk is not None:
            counts = Counter(chunk.codecs)
            codecs.update({Codec(one).name.lower(): n for one, n in counts.items() if one})
    return Backup(
        entry,
        commit,
        codecs,
        manifests=sum(ref is not None for ref in commit.manifests),
        chunks=len(commit.manifests),
        damage=tuple(damaged),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _unread(entry: Entry, why: Exception) -> str:
    return f"Whether backup {entry.backup_id} is sound: {why}"


def when(moment: datetime) -> str:
    """A time of UTC as ISO 8601."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
