# SPDX-License-Identifier: Apache-2.0
"""A year of hourly backups on three backends, pruned every few days, beside the naive model."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.fixtures.backends.lasting.past import BEGIN
from tests.fixtures.retention_model import Kept, Rules, left_after

DAYS = int(os.environ.get("PRUNE_DAYS", "365"))
THROUGH_CINDER = bool(os.environ.get("PRUNE_THROUGH_CINDER"))
REAL_DAYS = int(os.environ.get("PRUNE_REAL_DAYS", "10"))
WEEK, DAY = 7 * 24, 24

RULES = Rules(last=3, hourly=30, daily=14, weekly=8, monthly=12, yearly=2, within_hours=50)
BACKENDS = {"array": True, "tape": False, "disk": False}


def parent_of(backend: str, hour: int) -> int | None:
    """Datera-like: incrementals for ever; others: a full backup each week, or each day."""
    every = {"array": 10**6, "tape": WEEK, "disk": DAY}[backend]
    return None if hour % every == 0 else hour - 1


def word_of(backend: str, hour: int) -> bool:
    return hour % 1009 == {"array": 5, "tape": 17, "disk": 29}[backend]


def delete_at_once(past: Any, going: Sequence[Any]) -> None:
    """Do to records and data what the service does, in one transaction: there are very many."""
    with sqlite3.connect(past.cinder.database) as database:
        for one in going:
            backup = one.backup.id
            (parent,) = database.execute(PARENT, (backup,)).fetchone()
            moved = database.execute(HAND_OVER, (parent, backup)).rowcount
            (past.shelves.forget if moved else past.shelves.drop)(backup)
            database.execute(COUNT, (moved - 1, parent))
            database.execute(DELETE, (backup,))


PARENT = "SELECT parent_id FROM backups WHERE id = ? AND deleted = 0"
HAND_OVER = "UPDATE backups SET parent_id = ? WHERE parent_id = ? AND deleted = 0"
COUNT = "UPDATE backups SET num_dependent_backups = num_dependent_backups + ? WHERE id = ?"
DELETE = "UPDATE backups SET deleted = 1, status = 'deleted' WHERE id = ?"


class Year:
    """The cloud and the model, hour by hour."""

    def __init__(self, past: Any, *, through_cinder: bool) -> None:
        self.past = past
        self.through_cinder = through_cinder
        self.model: dict[str, Kept] = {}
        self.content: dict[str, Any] = {}

    def live(self, hours: range) -> None:
        """Make a backup on each backend in each of these hours."""
        for backend, alone in BACKENDS.items():
            parents = {hour: parent_of(backend, hour) for hour in hours}
            keep = {hour: {"backup_keep": "forever"} for hour in hours if word_of(backend, hour)}
            ids = self.past.add(backend, parents, properties=keep)
            for one, (hour, parent) in zip(ids, parents.items(), strict=True):
                above = (
                    None if parent is None else self.past.id_of(backend, str(UUID(int=1)), parent)
                )
                moment = BEGIN + timedelta(hours=hour)
                word = word_of(backend, hour)
                self.model[one] = Kept(one, moment, above, backend, alone, word=word)
                self.content[one] = self.past.shelves.content(one)

    def prune(self) -> int:
        """Prune both; how many backups went."""
        from backup_dispatch.jobs.prune.policy import Policy, Span

        counts = {name: getattr(RULES, name) for name in vars(RULES) if name != "within_hours"}
        decided = self.past.plan(Policy(**counts, within=Span(hours=RULES.within_hours)))
        if self.through_cinder:
            done = [what.outcome.value for _, what in self.past.carry_out(decided)]
            assert set(done) <= {"gone"}
        else:
            delete_at_once(self.past, decided.going)
        left = left_after(self.model, lambda _group: RULES)
        self.model = {one: self.model[one] for one in left}
        for one, parent in left.items():
            self.model[one].parent = parent
        return len(decided.going)

    def compare(self) -> None:
        """The records are the model's, and all that is left restores right."""
        records = self.past.records()
        assert {one: parent for one, (parent, *_) in records.items()} == {
            one: kept.parent for one, kept in self.model.items()
        }
        children: dict[str | None, int] = {}
        for kept in self.model.values():
            children[kept.parent] = children.get(kept.parent, 0) + 1
        for one, (_, count, status) in records.items():
            assert (count, status) == (children.get(one, 0), "available")
            assert self.past.shelves.content(one) == self.content[one]
        assert set(self.past.shelves.stored) == set(records)
        self.content = {one: self.content[one] for one in records}


@pytest.mark.faults
def test_a_year_leaves_exactly_what_the_naive_model_leaves(past: Any) -> None:
    past.time.seconds = 400 * 86400.0
    year = Year(past, through_cinder=THROUGH_CINDER)
    gone = 0
    for day in range(DAYS):
        year.live(range(day * DAY, (day + 1) * DAY))
        if day % 3 == 0 or day == DAYS - 1:
            gone += year.prune()
        if day % 15 == 0 or day == DAYS - 1:
            year.compare()
    assert gone + len(year.model) == 3 * DAYS * DAY
    assert gone > DAYS * DAY


@pytest.mark.faults
def test_days_through_cinder_leave_exactly_what_the_naive_model_leaves(past: Any) -> None:
    past.time.seconds = 400 * 86400.0
    year = Year(past, through_cinder=True)
    for day in range(REAL_DAYS):
        year.live(range(day * DAY, (day + 1) * DAY))
        if day == 0:
            past.count_quota()
        else:
            with sqlite3.connect(past.cinder.database) as database:
                database.execute("UPDATE quota_usages SET in_use = in_use + ?", (3 * DAY,))
        year.prune()
        year.compare()
        count = len(year.model)
        assert past.used() == {"backups": count, "backup_gigabytes": count}
