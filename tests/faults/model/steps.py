# SPDX-License-Identifier: Apache-2.0
"""All steps of a walk: how often each is drawn, when it is possible, what it does by numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.faults.model import fault_steps, operator_steps
from tests.faults.model.cloud import BACKENDS, PROJECTS
from tests.faults.model.comparison import require_trespass_refused
from tests.faults.model.expected import BLOCKS, Backup, Volume
from tests.faults.model.walk import Walk

T = TypeVar("T")

MOST_BACKUPS = 14
MOST_VOLUMES = 5
KINDS = ("noise", "text", "zeros")
SHARES = 256


def picked(among: Sequence[T], number: int) -> T:
    """One of them, by a number of any size."""
    return among[number % len(among)]


def a_volume(walk: Walk, number: int) -> Volume:
    return picked(list(walk.expected.volumes.values()), number)


def a_backup(walk: Walk, number: int) -> Backup:
    return picked(list(walk.expected.backups.values()), number)


# When a step is possible


def always(_walk: Walk) -> bool:
    return True


def some_volume(walk: Walk) -> bool:
    return bool(walk.expected.volumes)


def some_backup(walk: Walk) -> bool:
    return bool(walk.expected.backups)


def room_for_volumes(walk: Walk) -> bool:
    return len(walk.expected.volumes) < MOST_VOLUMES


def many_volumes(walk: Walk) -> bool:
    return len(walk.expected.volumes) > len(PROJECTS)


def room_for_backups(walk: Walk) -> bool:
    return some_volume(walk) and len(walk.expected.backups) < MOST_BACKUPS


def room_for_copies(walk: Walk) -> bool:
    return some_backup(walk) and len(walk.expected.backups) < MOST_BACKUPS


def nothing_away(walk: Walk) -> bool:
    return not walk.away


def something_away(walk: Walk) -> bool:
    return bool(walk.away)


def something_damaged(walk: Walk) -> bool:
    return bool(walk.mends)


# What it does, by two numbers


def back_up(walk: Walk, volume: Volume, backend: str, block: int, *, incremental: bool) -> None:
    if walk.expected.spoiled or walk.expected.shaken:
        # What is stored beside damage would have to be told from it.
        fault_steps.mend(walk)
    walk.write(volume, block % BLOCKS, "noise")
    walk.back_up(volume, backend, incremental=incremental)


def full_backup(walk: Walk, number: int, other: int) -> None:
    backend = picked(BACKENDS, other)
    back_up(walk, a_volume(walk, number), backend, other // len(BACKENDS), incremental=False)


def incremental_backup(walk: Walk, number: int, other: int) -> None:
    backend = picked(BACKENDS, other)
    back_up(walk, a_volume(walk, number), backend, other // len(BACKENDS), incremental=True)


def go_on(walk: Walk, number: int, other: int) -> None:
    """An incremental where there is something to build on, if its volume still exists."""
    backup = a_backup(walk, number)
    volume = walk.expected.volumes.get(backup.volume)
    if volume is not None:
        back_up(walk, volume, backup.backend, other, incremental=True)


def write(walk: Walk, number: int, other: int) -> None:
    kind = picked(KINDS, other // BLOCKS)
    walk.write(a_volume(walk, number), other % BLOCKS, kind)


def restore(walk: Walk, number: int, other: int) -> None:
    if room_for_volumes(walk):
        walk.restore(a_backup(walk, number))
    else:
        restore_over(walk, number, other)


def restore_over(walk: Walk, number: int, other: int) -> None:
    backup = a_backup(walk, number)
    own = [one for one in walk.expected.volumes.values() if one.project == backup.project]
    walk.restore(backup, picked(own, other) if own else None)


def trespass(walk: Walk, number: int, _other: int) -> None:
    require_trespass_refused(walk.cloud, walk.expected, a_backup(walk, number).id)
    walk.done["trespasses refused"] += 1


def copy(walk: Walk, number: int, other: int) -> None:
    incremental = bool(other // len(BACKENDS) % 2)
    backup, target = a_backup(walk, number), picked(BACKENDS, other)
    operator_steps.copy(walk, backup, target, incremental=incremental)


def hosts(walk: Walk, _number: int, _other: int) -> None:
    if walk.cloud.has_second_host:
        walk.cloud.host_goes()
    else:
        walk.cloud.host_comes()
    walk.done["hosts that came or went"] += 1


@dataclass(frozen=True)
class Step:
    """One of them.

    :ivar weight: how often it is drawn, compared with others.
    """

    weight: int
    possible: Callable[[Walk], bool]
    do: Callable[[Walk, int, int], None]


STEPS = {
    "new volume": Step(
        1, room_for_volumes, lambda walk, number, _: walk.new_volume(picked(PROJECTS, number))
    ),
    "write": Step(2, some_volume, write),
    "delete volume": Step(
        1, many_volumes, lambda walk, number, _: walk.delete_volume(a_volume(walk, number))
    ),
    "full backup": Step(3, room_for_backups, full_backup),
    "incremental backup": Step(2, room_for_backups, incremental_backup),
    "go on": Step(4, room_for_copies, go_on),
    "restore": Step(3, some_backup, restore),
    "restore over": Step(3, some_backup, restore_over),
    "delete": Step(3, some_backup, lambda walk, number, _: walk.delete(a_backup(walk, number))),
    "trespass": Step(1, some_backup, trespass),
    "move": Step(
        2,
        some_backup,
        lambda walk, number, other: walk.move(a_backup(walk, number), thoroughly=bool(other % 2)),
    ),
    "verify": Step(
        2, some_backup, lambda walk, number, _: operator_steps.verify(walk, a_backup(walk, number))
    ),
    "salvage": Step(
        1, some_backup, lambda walk, number, _: operator_steps.salvage(walk, a_backup(walk, number))
    ),
    "copy": Step(3, room_for_copies, copy),
    "prune": Step(
        1,
        some_volume,
        lambda walk, number, other: operator_steps.prune(
            walk, a_volume(walk, number), other % 3 + 1
        ),
    ),
    "go away": Step(
        1, nothing_away, lambda walk, number, _: fault_steps.go_away(walk, picked(BACKENDS, number))
    ),
    "come back": Step(
        2,
        something_away,
        lambda walk, number, _: fault_steps.come_back(walk, picked(sorted(walk.away), number)),
    ),
    "restart": Step(1, always, lambda walk, *_: fault_steps.restart(walk)),
    "damage": Step(
        2,
        some_backup,
        lambda walk, number, other: fault_steps.damage(
            walk, a_backup(walk, number), other % BLOCKS
        ),
    ),
    "shake": Step(
        1,
        some_backup,
        lambda walk, number, other: fault_steps.shake(
            walk, a_backup(walk, number), other % SHARES / SHARES
        ),
    ),
    "mend": Step(1, something_damaged, lambda walk, *_: fault_steps.mend(walk)),
    "hosts": Step(1, always, hosts),
}
DRAWN = tuple(name for name, step in STEPS.items() for _ in range(step.weight))
"""Each name as often as its weight says."""


def possible(walk: Walk, name: str) -> Step:
    """The step of that name, or the next one in the table that is possible now."""
    names = list(STEPS)
    at = names.index(name)
    return next(
        step for step in map(STEPS.__getitem__, names[at:] + names[:at]) if step.possible(walk)
    )
