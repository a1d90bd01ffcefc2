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
    DamageKind,
    Entry,
    EntryState,
    FileDevice,
    LayoutDamaged,
    PackageMissing,
)
from datera_backup.container.format.codec import Codec
from datera_backup.container.format.superblock import VERSION
from datera_backup.container.slots import Slot, Slots

_GONE = {
    EntryState.DYING: "deleted; its space is about to be reclaimed",
    EntryState.VACANT: "deleted; all of its space is being reclaimed",
    EntryState.DEAD: "deleted; its space was reclaimed, except what other backups need",
}

UNREAD = (OSError, ContainerTooNew, PackageMissing)
"""Errors that say that something could not be read here, and nothing of what it is."""


@dataclass(frozen=True)
class InspectedBackup:
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

    :ivar slots: the two places of the superblock.
    :ivar faulty: where metadata is not whole, while its copy is.
    :ivar size: bytes of the device, up to ``tail`` of which backups take.
    """

    device: str
    size: int
    version: int
    id: UUID
    tail: int
    slots: tuple[Slot, ...]
    faulty: tuple[int, ...]
    backups: tuple[InspectedBackup, ...]

    @property
    def damage(self) -> list[str]:
        """All that is not what was written."""
        slots = [
            f"Superblock {number} is {slot.finding.value}; the other one is used."
            for number, slot in enumerate(self.slots)
            if slot.finding is not None
        ]
        copies = [
            f"The metadata at byte {place} is damaged; its copy is used." for place in self.faulty
        ]
        return slots + copies + [line for backup in self.backups for line in backup.damage]

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
        backups = tuple(_backup(container, entry) for entry in container.entries)
        return Inspection(
            device=str(path),
            size=device.size,
            version=VERSION,
            id=container.id,
            tail=container.tail,
            slots=Slots(device).both(),
            faulty=container.copies.faulty,
            backups=backups,
        )


def _backup(container: Container, entry: Entry) -> InspectedBackup:
    if entry.state.is_gone:
        return InspectedBackup(entry, note=_GONE[entry.state])
    try:
        reader = BackupReader(container, entry.backup_id)
    except BackupUncommitted as open_one:
        return InspectedBackup(entry, note=str(open_one))
    except UNREAD as unread:
        return InspectedBackup(entry, unknown=(_unread(entry, unread),))
    except ContainerError as damage:
        if is_unreadable(damage):
            return InspectedBackup(entry, unknown=(_unread(entry, damage),))
        return InspectedBackup(entry, damage=(str(damage),))
    codecs: Counter[str] = Counter()
    damaged, unknown = [], []
    commit = reader.commit
    manifests = 0
    for stretch in reader.stretches():
        try:
            if stretch.error is not None:
                raise stretch.error
            chunk = reader.chunk(stretch.first) if stretch.ref is not None else None
        except UNREAD as unread:
            unknown.append(_unread(entry, unread))
            continue
        except ContainerError as damage:
            if is_unreadable(damage):
                unknown.append(_unread(entry, damage))
            else:
                damaged.append(str(damage))
            continue
        if chunk is not None:
            manifests += 1
            counts = Counter(chunk.codecs)
            codecs.update({_codec(one): n for one, n in counts.items() if one})
    return InspectedBackup(
        entry,
        commit,
        codecs,
        manifests=manifests,
        chunks=reader.chunk_count,
        damage=tuple(damaged),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _codec(number: int) -> str:
    known = number in {codec.value for codec in Codec}
    return Codec(number).name.lower() if known else f"codec {number}"


def is_unreadable(error: ContainerError) -> bool:
    """Whether the device reports an error, which proves no damage."""
    return isinstance(error, LayoutDamaged) and error.finding is DamageKind.UNREADABLE


def _unread(entry: Entry, why: Exception) -> str:
    return f"Whether backup {entry.backup_id} is sound: {why}"


def when(moment: datetime) -> str:
    """A time of UTC as ISO 8601."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
