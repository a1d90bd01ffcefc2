# SPDX-License-Identifier: Apache-2.0
"""What a run keeps and why, what goes, and in which order; decided from the records alone.

Backups are grouped by volume, backend and policy. After the policy, in this order:

1. a user's word keeps a backup, and so does work on it that is under way
2. where the newest backup of the volume, or of the group's backend, is not sound, all are kept
3. where children need their parents, a backup is kept for the sake of each that stays
4. a volume is never left without a sound backup
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backup_dispatch.jobs.prune import policy as rules
from backup_dispatch.jobs.prune.candidate import BUSY, Candidate, users_word
from backup_dispatch.jobs.prune.policy import Policy


@dataclass(frozen=True)
class Shelf:
    """The backend of a backup, as retention sees it.

    :ivar children_stand_alone: a parent may go before its children.
    """

    name: str
    children_stand_alone: bool = False


@dataclass
class Decision:
    """What becomes of one backup.

    :ivar why: why it is kept; empty if it goes.
    :ivar held: whether it would go, but for the state of something else.
    """

    backup: Candidate
    shelf: Shelf
    policy: str
    why: list[str] = field(default_factory=list)
    held: bool = False

    @property
    def goes(self) -> bool:
        """Whether it is to be deleted."""
        return not self.why


@dataclass(frozen=True)
class Plan:
    """The decisions of a run.

    :ivar decisions: of all backups that a policy counts for, by volume, backend and age.
    :ivar going: of those that go, in the order in which they may.
    :ivar unfinished: backups that an earlier run has begun to delete, in such an order.
    :ivar unsound: the volumes of which nothing is pruned, and why.
    :ivar emptied: the volumes and backends that would have no backup any more.
    """

    decisions: Sequence[Decision]
    going: Sequence[Decision]
    unfinished: Sequence[Decision]
    unsound: Mapping[str, str]
    emptied: Sequence[tuple[str, str]]


PolicyOf = Callable[[Candidate], tuple[str, Policy] | None]
"""The name of the policy that counts for a backup, and the policy."""

ShelfOf = Callable[[str | None], Shelf | None]
"""The enabled backend that a record's ``service`` names, or None."""


Hindrance = Callable[[Candidate], str]
"""Why a backup cannot be deleted by anybody but its owner; empty if it can."""


def plan(
    backups: Iterable[Candidate],
    policy_of: PolicyOf,
    shelf_of: ShelfOf,
    now: datetime,
    hindrance: Hindrance = lambda _backup: "",
) -> Plan:
    """Decide.

    :param backups: all records of the volumes in question, whether a policy counts for them or not.
    """
    by_volume: dict[str, list[Candidate]] = defaultdict(list)
    for one in backups:
        by_volume[one.volume].append(one)
    found: list[Decision] = []
    unfinished: list[Decision] = []
    unsound: dict[str, str] = {}
    emptied: list[tuple[str, str]] = []
    for volume, members in sorted(by_volume.items()):
        of_volume = _Volume(members, policy_of, shelf_of, (now, hindrance))
        if not of_volume.decisions and not of_volume.unfinished:
            continue
        of_volume.decide()
        found += of_volume.decisions
        unfinished += of_volume.unfinished
        emptied += [(volume, shelf) for shelf in of_volume.emptied()]
        if of_volume.unsound and any(one.held for one in of_volume.decisions):
            unsound[volume] = of_volume.unsound
    found.sort(key=lambda one: (one.backup.volume, one.shelf.name, _age(one.backup)))
    going = _in_order([one for one in found if one.goes])
    return Plan(found, going, _in_order(unfinished), unsound, emptied)


def _age(backup: Candidate) -> tuple[datetime, str]:
    return backup.moment, backup.id


class _Volume:
    """The backups of one volume."""

    def __init__(
        self,
        members: list[Candidate],
        policy_of: PolicyOf,
        shelf_of: ShelfOf,
        circumstances: tuple[datetime, Hindrance],
    ) -> None:
        self._members = {one.id: one for one in members}
        self._now, self._hindrance = circumstances
        self._policies: dict[str, Policy] = {}
        self._shelves = {one.id: shelf_of(one.service) for one in members}
        self.decisions: list[Decision] = []
        self.unfinished: list[Decision] = []
        self.unsound = ""
        for one in members:
            shelf, counted = self._shelves[one.id], policy_of(one)
            if shelf is None or counted is None:
                continue
            name, policy = counted
            self._policies[name] = policy
            if one.is_half_deleted:
                self.unfinished.append(Decision(one, shelf, name))
            elif one.is_good:
                self.decisions.append(Decision(one, shelf, name))

    def decide(self) -> None:
        """Fill in why each one is kept."""
        groups: dict[tuple[str, str], list[Decision]] = defaultdict(list)
        for one in self.decisions:
            groups[one.shelf.name, one.policy].append(one)
        for (_, name), group in groups.items():
            self._apply(self._policies[name], group)
        self._hold_if_unsound()
        self._keep_ancestors()
        if not any(one.is_good for one in self._staying()):
            for one in self._going():
                _hold(one, "the volume would be left without any")
            self._keep_ancestors()

    def emptied(self) -> list[str]:
        """The backends that would have no good backup of the volume any more."""
        left = {
            shelf.name for one in self._staying() if one.is_good if (shelf := self._shelves[one.id])
        }
        return sorted({one.shelf.name for one in self._going()} - left)

    def _going(self) -> list[Decision]:
        return [one for one in self.decisions if one.goes]

    def _staying(self) -> list[Candidate]:
        going = {one.backup.id for one in (*self._going(), *self.unfinished)}
        return [one for one in self._members.values() if one.id not in going]

    def _apply(self, policy: Policy, group: list[Decision]) -> None:
        group.sort(key=lambda one: _age(one.backup), reverse=True)
        moments = [one.backup.moment for one in group]
        for one, why in zip(group, rules.reasons(policy, moments, self._now), strict=True):
            one.why += why
            if word := users_word(one.backup.keep, self._now):
                one.why.append(word)
            if one.backup.status in BUSY:
                one.why.append(f"is {one.backup.status}")
            if one.goes and (hindrance := self._hindrance(one.backup)):
                _hold(one, hindrance)

    def _hold_if_unsound(self) -> None:
        """Keep all, where the newest backup is not sound: an older one may be the last good one."""
        by_shelf: dict[Shelf | None, list[Candidate]] = defaultdict(list)
        for backup in self._members.values():
            by_shelf[self._shelves[backup.id]].append(backup)
        of_volume = _fault(_newest(self._members.values()))
        faults = {shelf: of_volume or _fault(_newest(on)) for shelf, on in by_shelf.items()}
        for one in self._going():
            if fault := faults[one.shelf]:
                self.unsound = self.unsound or fault
                _hold(one, fault)

    def _keep_ancestors(self) -> None:
        """Keep what others that stay are built on."""
        decisions = {one.backup.id: one for one in self.decisions}
        for child in sorted(self._staying(), key=_age, reverse=True):
            above = decisions.get(child.parent or "")
            if above is None:
                continue
            if above.shelf.children_stand_alone:
                if child.status in BUSY and above.goes:
                    _hold(above, f"{child.id} on it is {child.status}")
                continue
            while above is not None and above.goes:
                _hold(above, f"for {child.id}")
                above = decisions.get(above.backup.parent or "")


def _hold(one: Decision, why: str) -> None:
    one.why.append(why)
    one.held = True


def _newest(backups: Iterable[Candidate]) -> Candidate | None:
    return max((one for one in backups if one.is_finished), key=_age, default=None)


def _fault(newest: Candidate | None) -> str:
    """Why a volume's newest backup is no reason to let older ones go; empty if it is sound."""
    if newest is None:
        return "no backup is finished"
    if not newest.is_good:
        return f"the newest, {newest.id}, is {newest.status}"
    return f"the newest, {newest.id}, is damaged" if newest.damaged else ""


def _in_order(going: list[Decision]) -> list[Decision]:
    """Each in its turn: children before their parents; where they stand alone, the oldest first."""
    members = {one.backup.id: one for one in going}
    depth: dict[str, int] = {}

    def deep(one: Decision) -> int:
        path: dict[str, None] = {}
        at: Decision | None = one
        while at is not None and at.backup.id not in depth and at.backup.id not in path:
            path[at.backup.id] = None
            at = members.get(at.backup.parent or "")
        known = depth.get(at.backup.id, 0) if at is not None else 0
        depth.update((each, known + above) for above, each in enumerate(reversed(path), start=1))
        return depth[one.backup.id]

    def turn(one: Decision) -> tuple[str, str, int, datetime, str]:
        sign = 1 if one.shelf.children_stand_alone else -1
        return (one.backup.volume, one.shelf.name, sign * deep(one), *_age(one.backup))

    return sorted(going, key=turn)
