# SPDX-License-Identifier: Apache-2.0
"""Choosing a backup's container and its size: pure functions.

Containers are thin volumes: room that is never written to costs nothing, so what matters is only
that a backup never runs out of it half-way. A backup is therefore given room for the worst case:
every block of the volume stored anew, and none of them smaller than it was.
"""

from __future__ import annotations

from dataclasses import dataclass

from datera_backup.container import GIB
from datera_backup.errors import VolumeTooLarge


@dataclass(frozen=True)
class Fits:
    """The backup goes into the parent's container, which is large enough as it is."""


@dataclass(frozen=True)
class FitsExtended:
    """The backup goes into the parent's container once that has grown to ``gib``."""

    gib: int


@dataclass(frozen=True)
class StartsNew:
    """The backup starts a container of its own; ``reason`` completes "because …"."""

    reason: str


Placement = Fits | FitsExtended | StartsNew


def gib_for(size: int) -> int:
    """The least number of GiB that holds ``size`` bytes."""
    return max(1, -(-size // GIB))


def new_container_gib(worst_case: int, max_gib: int) -> int:
    """The size in GiB of a new container whose first backup may take ``worst_case`` bytes.

    There is room for a second one of the kind, so that most chains need not be extended soon.

    :raises VolumeTooLarge: not even the first is sure to fit.
    """
    if gib_for(worst_case) > max_gib:
        raise VolumeTooLarge(
            f"The volume may need {gib_for(worst_case)} GiB in a container, and "
            f"backup_datera_container_max_size allows {max_gib}"
        )
    return min(gib_for(2 * worst_case), max_gib)


def place_in_parents(used: int, size: int, worst_case: int, max_gib: int) -> Placement:
    """Decide whether an incremental fits behind the backups that its parent's container holds.

    :param used: bytes from the container's start to where the next backup would begin.
    :param size: bytes of the container as it is.
    :param worst_case: bytes that the backup may take.
    """
    needed = used + worst_case
    if needed <= size:
        return Fits()
    if gib_for(needed) > max_gib:
        return StartsNew(
            f"the parent's might grow to {gib_for(needed)} GiB, over "
            f"backup_datera_container_max_size ({max_gib})"
        )
    return FitsExtended(min(gib_for(needed + worst_case), max_gib))
