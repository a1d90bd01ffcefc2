# SPDX-License-Identifier: Apache-2.0
"""What each volume and each backup must hold, and whose it is: a dictionary, as naive as can be.

Nothing of what is tested is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

BLOCK = 2**16
BLOCKS = 16
SIZE = BLOCK * BLOCKS
ZEROS = bytes(BLOCK)

VERIFYING = "datera"
"""The backend that verifies each block that it restores, and whose incrementals stand alone."""


class State(Enum):
    """What a record must say."""

    AVAILABLE = "available"
    FAILED = "failed"
    """Never finished, or a deletion of it was not: it restores no more, and can be deleted."""


class Harm(Enum):
    """Whether a backup restores."""

    NONE = "none"
    CERTAIN = "certain"
    POSSIBLE = "possible"
    """Something near it was damaged: it restores as it was, or names the damage."""


@dataclass
class Volume:
    """A volume of a project."""

    id: str
    project: str
    content: bytes = bytes(SIZE)

    def write(self, block: int, data: bytes) -> None:
        """Replace a block."""
        self.content = self.content[: block * BLOCK] + data + self.content[(block + 1) * BLOCK :]


@dataclass
class Backup:
    """A backup of a volume.

    :ivar places: for each block the container where it was stored; None for zeros.
    :ivar moment: of its data.
    :ivar unowned: imported, and not used since: the service must still find who has it.
    :ivar pruned: chosen by a run of prune that could not delete it: the next one tries again.
    """

    id: str
    project: str
    volume: str
    backend: str
    content: bytes
    moment: datetime
    container: str | None
    parent: str | None = None
    state: State = State.AVAILABLE
    places: tuple[str | None, ...] = (None,) * BLOCKS
    copy_of: str | None = None
    unowned: bool = False
    pruned: bool = False

    @property
    def blocks(self) -> Iterator[bytes]:
        """Its content, block by block."""
        return (self.content[at : at + BLOCK] for at in range(0, SIZE, BLOCK))


@dataclass
class Expected:
    """The whole cloud.

    :ivar spoiled: blocks that were changed where they lie, by their container.
    :ivar shaken: containers of which anything at all was changed.
    :ivar torn: backups with an object that was changed.
    """

    volumes: dict[str, Volume] = field(default_factory=dict)
    backups: dict[str, Backup] = field(default_factory=dict)
    spoiled: set[tuple[str, bytes]] = field(default_factory=set)
    shaken: set[str] = field(default_factory=set)
    torn: set[str] = field(default_factory=set)

    # Backups

    def add(self, backup: Backup) -> None:
        """A backup was made: what its parent has, it does not store again."""
        parent = self.backups.get(backup.parent or "")
        known = list(zip(parent.blocks, parent.places, strict=True)) if parent else []
        places: list[str | None] = []
        for number, block in enumerate(backup.blocks):
            if block == ZEROS:
                places.append(None)
            elif known and known[number][0] == block:
                places.append(known[number][1])
            else:
                places.append(backup.container)
        backup.places = tuple(places)
        self.backups[backup.id] = backup

    def of_project(self, project: str) -> list[str]:
        """The backups that this project sees, and no others."""
        return [one.id for one in self.backups.values() if one.project == project]

    def available(self, volume: str, backend: str | None = None) -> list[Backup]:
        """What an incremental of the volume could build on."""
        return [
            one
            for one in self.backups.values()
            if one.volume == volume
            and one.state is State.AVAILABLE
            and backend in (None, one.backend)
        ]

    def newest(self, volume: str, backend: str) -> list[str]:
        """Those with the latest data: a copy has the time of what it is a copy of."""
        found = self.available(volume, backend)
        latest = max((one.moment for one in found), default=None)
        return [one.id for one in found if one.moment == latest]

    def children(self, backup: str) -> list[str]:
        """The backups that name it as their parent."""
        return [one.id for one in self.backups.values() if one.parent == backup]

    def ancestors(self, backup: Backup) -> Iterator[Backup]:
        """The backup and all that it builds on."""
        one: Backup | None = backup
        while one is not None:
            yield one
            one = self.backups.get(one.parent or "")

    def family(self, backup: Backup) -> list[Backup]:
        """All that build on the same full backup, each after its parent."""
        *_, root = self.ancestors(backup)
        found = [root]
        for one in found:
            found += [self.backups[child] for child in self.children(one.id)]
        return found

    def remove(self, backup: str) -> None:
        """It is gone; where its children stand alone, they get its parent."""
        gone = self.backups.pop(backup)
        self.torn.discard(backup)
        for child in self.children(backup):
            self.backups[child].parent = gone.parent

    # Damage

    def harm(self, backup: Backup) -> Harm:
        """Whether what was damaged is part of the backup."""
        if backup.backend != VERIFYING:
            torn = any(one.id in self.torn for one in self.ancestors(backup))
            return Harm.CERTAIN if torn else Harm.NONE
        if self.lost_blocks(backup):
            return Harm.CERTAIN
        near = {backup.container, *backup.places} & self.shaken
        return Harm.POSSIBLE if near else Harm.NONE

    def lost_blocks(self, backup: Backup) -> list[int]:
        """The blocks that cannot be read any more, where each stands alone."""
        stored = zip(backup.places, backup.blocks, strict=True)
        return [number for number, one in enumerate(stored) if one in self.spoiled]

    def without_lost_blocks(self, backup: Backup) -> bytes:
        """What can be salvaged: zeros for what is lost."""
        lost = self.lost_blocks(backup)
        return b"".join(
            ZEROS if number in lost else block for number, block in enumerate(backup.blocks)
        )
