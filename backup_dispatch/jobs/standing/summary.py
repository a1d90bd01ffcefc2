# SPDX-License-Identifier: Apache-2.0
"""Numbers that follow from a snapshot; pure functions of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backup_dispatch import rules
from backup_dispatch.counting.figures import NEW, SHARED, STORED, ZERO
from backup_dispatch.jobs.standing.model import GIB, Holder, Kind, Known, Standing

OTHER = "(other)"
"""What stands for all values of a label beyond the bound."""

NO_TYPE = "(none)"
NO_PREFIX = ""


@dataclass
class Held:
    """What a backend holds.

    :ivar bytes: sizes of the volumes, for each backup.
    :ivar measured: of how many of them it is known what is stored.
    :ivar measured_bytes: the sizes of the volumes of these.
    :ivar parts: what became of those bytes.
    """

    backups: int = 0
    bytes: int = 0
    measured: int = 0
    measured_bytes: int = 0
    parts: Counter[str] = field(default_factory=Counter)

    def add(self, one: Known) -> None:
        """Count a backup too."""
        self.backups += 1
        self.bytes += one.gib * GIB
        if STORED not in one.parts:
            return
        self.measured += 1
        self.measured_bytes += one.gib * GIB
        self.parts.update(_complete(one))


def _complete(one: Known) -> dict[str, int]:
    """The parts, so that they add up to the volume's size."""
    parts = dict(one.parts)
    size = one.gib * GIB
    known = min(size, parts.get(SHARED, 0) + parts.get(ZERO, 0))
    parts[NEW] = max(0, size - known)
    return parts


def held(standing: Standing) -> dict[Holder, Held]:
    """What each backend holds of good backups; all enabled ones have an entry."""
    found = {Holder(name, Kind.ENABLED): Held() for name in standing.enabled}
    for one in standing.backups:
        if one.is_good:
            found.setdefault(one.holder, Held()).add(one)
    return found


def states(standing: Standing) -> dict[tuple[Holder, str], tuple[int, int]]:
    """How many backups, and how many bytes of volumes, by backend and state."""
    counts: Counter[tuple[Holder, str]] = Counter()
    sizes: Counter[tuple[Holder, str]] = Counter()
    for one in standing.backups:
        key = one.holder, one.status
        counts[key] += 1
        sizes[key] += one.gib * GIB
    return {key: (count, sizes[key]) for key, count in counts.items()}


def prefixes_in(prefixes: Sequence[str]) -> Callable[[str], str]:
    """A function that says with which of these a name begins, as the dispatcher's rules have it.

    :returns: it returns :data:`NO_PREFIX` for a name that begins with none.
    """
    table = rules.Table(tuple(prefixes), "")
    known: dict[str, str] = {}

    def prefix_of(name: str) -> str:
        if name not in known:
            choice = rules.choose(rules.Request(name), table)
            by_prefix = isinstance(choice, rules.Choice) and choice.rule is rules.Rule.PREFIX
            known[name] = choice.backend if by_prefix else NO_PREFIX  # type: ignore[union-attr]
        return known[name]

    return prefix_of


def volume_type_of(standing: Standing, volume: str) -> str:
    """The name of a volume's type; of a volume that is purged it is not known."""
    found = standing.volumes.get(volume)
    return (found.kind if found is not None else None) or NO_TYPE


def newest_good(
    standing: Standing, prefix_of: Callable[[str], str]
) -> dict[tuple[str, str], datetime]:
    """The time of the newest good backup's data, by volume type and prefix."""
    found: dict[tuple[str, str], datetime] = {}
    for one in standing.backups:
        if one.is_good:
            key = volume_type_of(standing, one.volume), prefix_of(one.name)
            found[key] = max(found.get(key, one.data_at), one.data_at)
    return found


def newest_by_volume(standing: Standing) -> dict[str, Known]:
    """Each volume's newest good backup."""
    found: dict[str, Known] = {}
    for one in standing.backups:
        before = found.get(one.volume)
        if one.is_good and (before is None or before.data_at <= one.data_at):
            found[one.volume] = one
    return found


@dataclass
class Covered:
    """The existing volumes of one type.

    :ivar stalest: the oldest of their newest good backups.
    """

    with_backup: int = 0
    without: int = 0
    stalest: datetime | None = None


def coverage(standing: Standing) -> dict[str, Covered]:
    """How well existing volumes are covered, by volume type."""
    newest = newest_by_volume(standing)
    found: dict[str, Covered] = defaultdict(Covered)
    for volume in standing.volumes.values():
        if volume.deleted:
            continue
        covered, good = found[volume.kind or NO_TYPE], newest.get(volume.id)
        if good is None:
            covered.without += 1
            continue
        covered.with_backup += 1
        if covered.stalest is None or good.data_at < covered.stalest:
            covered.stalest = good.data_at
    return dict(found)


@dataclass
class Verification:
    """How the good backups of one backend are verified.

    :ivar oldest: since when the one is unverified that is so for the longest.
    """

    sound: int = 0
    damaged: int = 0
    never: int = 0
    oldest: datetime | None = None


def verifications(standing: Standing) -> dict[Holder, Verification]:
    """By backend; a damaged backup counts as damaged, and no longer as unverified."""
    found: dict[Holder, Verification] = defaultdict(Verification)
    for one in standing.backups:
        if one.past.is_damaged:
            found[one.holder].damaged += 1
        if not one.is_good:
            continue
        of_holder = found[one.holder]
        if one.past.is_sound:
            of_holder.sound += 1
        else:
            of_holder.never += 1
        if of_holder.oldest is None or one.unverified_since < of_holder.oldest:
            of_holder.oldest = one.unverified_since
    return dict(found)


def bounded(amounts: Mapping[str, int], most: int) -> Callable[[str], str]:
    """A function that keeps the values with the largest amounts, and calls the rest :data:`OTHER`.

    :param amounts: all values.
    """
    kept = set(sorted(amounts, key=lambda one: (-amounts[one], one))[:most])
    return lambda value: value if value in kept else OTHER
