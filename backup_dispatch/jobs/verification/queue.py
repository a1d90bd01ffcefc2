# SPDX-License-Identifier: Apache-2.0
"""Which backups a run verifies, in which order, and why: decided by records alone.

The longest unverified comes first. Where a restore reads a whole chain, each backup of it counts
for itself: its own data is read once, after what it builds on, and its verdict says since when all
of the chain has been read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backup_dispatch.backup_rows import Row
from backup_dispatch.jobs.remembered import NEVER, STATUSES, Past

OUTSIDE = timedelta(days=30)
"""The age from which an ancestor that a filter excludes is read again, unless a limit is given."""

_LONG_AGO = datetime.min


@dataclass(frozen=True)
class Wanted:
    """What a run is to verify; None: no such limit.

    :ivar services: of records with these texts in ``service``.
    :ivar newer_than: backups not older than this.
    :ivar unverified_since: those without a verdict in this time.
    :ivar share: this part of all that the two first select, by the size of their volumes.
    """

    services: frozenset[str | None] | None = None
    newer_than: timedelta | None = None
    unverified_since: timedelta | None = None
    share: float | None = None


@dataclass(frozen=True)
class Item:
    """One backup of a run.

    :ivar row: its record.
    :ivar past: what is remembered of it.
    :ivar why: why it is verified, in words.
    :ivar layered: whether its own data is read alone, after that of its ancestors.
    :ivar reads: False if its own data was read recently enough: only the verdict is renewed.
    :ivar has_turn: False if it only comes because the next one that has a turn builds on it.
    """

    row: Row
    past: Past
    why: str
    layered: bool
    reads: bool = True
    has_turn: bool = True


@dataclass(frozen=True)
class Queue:
    """What a run verifies.

    :ivar items: in this order.
    :ivar selected: how many backups there are of which these are the due ones.
    :ivar gb: the sizes of their volumes.
    """

    items: Sequence[Item]
    selected: int
    gb: int


@dataclass
class Known:
    """All records, and what is remembered of them.

    :ivar rows: by ID, in whatever state they are.
    :ivar pasts: by ID.
    :ivar is_layered: whether the backend named by a record's ``service`` stores layers.
    """

    rows: Mapping[str, Row]
    pasts: Mapping[str, Past]
    is_layered: Callable[[str | None], bool]
    _children: dict[str, list[str]] | None = field(default=None, init=False)

    def past(self, backup_id: str) -> Past:
        """What is remembered of one backup."""
        return self.pasts.get(backup_id, NEVER)

    def layers_below(self, row: Row) -> list[Row] | None:
        """What a backup builds on, the full backup first, if each can be verified for itself.

        None if the backup can only be verified with all of that at once: its backend does not store
        layers, or a record is missing, or in another state.
        """
        found: dict[str, Row] = {}
        one = row
        while self.is_layered(one.service) and one.status in STATUSES:
            if not one.parent_id:
                return list(found.values())[::-1]
            parent = self.rows.get(one.parent_id)
            if parent is None or parent.id in found or parent.id == row.id:
                return None
            found[parent.id] = one = parent
        return None

    def descendants(self, backup_id: str) -> list[Row]:
        """All backups that build on one, the nearest first."""
        if self._children is None:
            self._children = {}
            for row in self.rows.values():
                if row.parent_id:
                    self._children.setdefault(row.parent_id, []).append(row.id)
        found: dict[str, None] = {}
        left = [backup_id]
        for one in left:
            for child in self._children.get(one, ()):
                if child not in found and child != backup_id:
                    found[child] = None
                    left.append(child)
        return [self.rows[one] for one in found]


def queued(known: Known, wanted: Wanted, now: datetime) -> Queue:
    """Decide what to verify.

    :param now: in UTC, without a time zone.
    """
    selected = [row for row in known.rows.values() if _is_selected(row, wanted, now)]
    limit = now - wanted.unverified_since if wanted.unverified_since is not None else None
    due = [row for row in selected if _is_due(known.past(row.id), limit)]
    due.sort(key=lambda row: (_turn(known.past(row.id)), row.created_at or _LONG_AGO, row.id))
    gb = sum(row.size or 0 for row in selected)
    turns = frozenset(row.id for row in due)
    if wanted.share is not None:
        due = _share_of(due, wanted.share * gb)
    return Queue(_in_order(known, due, turns, limit, now), len(selected), gb)


def _is_selected(row: Row, wanted: Wanted, now: datetime) -> bool:
    if row.status not in STATUSES:
        return False
    if wanted.services is not None and row.service not in wanted.services:
        return False
    if wanted.newer_than is None:
        return True
    return row.created_at is not None and row.created_at >= now - wanted.newer_than


def _is_due(past: Past, limit: datetime | None) -> bool:
    return limit is None or past.last is None or past.last.since < limit


def _turn(past: Past) -> datetime:
    """When a backup had its last turn: the one with the earliest is next."""
    read = past.last.read if past.last else None
    return max(read or _LONG_AGO, past.tried or _LONG_AGO)


def _share_of(due: Sequence[Row], gb: float) -> list[Row]:
    """The first ones that are at least that large together; one at least."""
    found: list[Row] = []
    for row in due:
        if found and gb <= 0:
            break
        found.append(row)
        gb -= row.size or 0
    return found


def _in_order(
    known: Known,
    due: Sequence[Row],
    turns: frozenset[str],
    limit: datetime | None,
    now: datetime,
) -> list[Item]:
    """The due backups, each after what must be read before it.

    :param turns: the backups that have a turn of their own, if not in this run, in one of the next.
    """
    items: dict[str, Item] = {}
    oldest = limit if limit is not None else now - OUTSIDE
    for row in due:
        below = known.layers_below(row)
        for one in below or ():
            if one.id not in items and _comes_before(known.past(one.id), one.id in turns, oldest):
                why = f"backup {row.id} builds on it"
                past = known.past(one.id)
                items[one.id] = Item(one, past, why, layered=True, has_turn=False)
        if row.id not in items:
            past, layered = known.past(row.id), below is not None
            reads = not layered or _needs_reading(past, limit)
            items[row.id] = Item(row, past, why_of(past, now), layered, reads)
    return list(items.values())


def _comes_before(past: Past, has_turn: bool, oldest: datetime) -> bool:
    if not past.is_sound or past.last is None or past.last.read is None:
        return True
    # Reading again what has its own turn might leave no time for what was never read.
    return not has_turn and past.last.read < oldest


def _needs_reading(past: Past, limit: datetime | None) -> bool:
    if limit is None or past.last is None or past.last.read is None:
        return True
    return past.is_damaged or past.last.read < limit


def why_of(past: Past, now: datetime) -> str:
    """Why a backup has its turn, in words."""
    last, tried = past.last, past.tried
    if last is None:
        return f"never verified, tried {_ago(now - tried)}" if tried else "never verified"
    word = f"{last.verdict.value} {_ago(now - last.since)}"
    return f"{word}, tried {_ago(now - tried)}" if tried else word


def _ago(age: timedelta) -> str:
    hours = max(int(age.total_seconds() // 3600), 0)
    return f"{hours // 24} days ago" if hours >= 48 else f"{hours} hours ago"  # noqa: PLR2004
