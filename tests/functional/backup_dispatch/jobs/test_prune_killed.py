# SPDX-License-Identifier: Apache-2.0
"""A run that is killed at any moment, with the service or without, ends as if it had not been."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

MOMENTS = int(os.environ.get("PRUNE_KILLS", "100"))
SEED = int(os.environ.get("PRUNE_SEED", "18"))


class Killed(BaseException):
    """The process is gone: nothing that would run afterwards does anything."""


class Reaper:
    """Ends the process before one of its statements to the database.

    :ivar in_service: whether the service was killed with it, at its work.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.at: int | None = None
        self.in_service = False
        self._serving = False

    def __call__(self, *_arguments: Any) -> None:
        self.seen += 1
        if self.at is not None and self.seen >= self.at:
            self.in_service = self.in_service or self._serving
            raise Killed

    def around(self, delete: Callable[..., None]) -> Callable[..., None]:
        """What the service does, as seen by the reaper."""

        def serving(*arguments: Any) -> None:
            self._serving = True
            delete(*arguments)
            self._serving = False

        return serving


@contextmanager
def reaper() -> Iterator[Reaper]:
    from cinder.backup.rpcapi import BackupAPI

    from tests.fixtures.cinder.database import one_engine

    one, engine, delete = Reaper(), one_engine().engine, BackupAPI.delete_backup
    event.listen(engine, "before_cursor_execute", one)
    BackupAPI.delete_backup = one.around(delete)
    try:
        yield one
    finally:
        BackupAPI.delete_backup = delete
        event.remove(engine, "before_cursor_execute", one)


def fill(past: Any) -> None:
    """Chains on three backends of two volumes, of which about half goes."""
    past.add("array", {hour: hour - 1 if hour else None for hour in range(6)})
    past.add("tape", {0: None, 1: 0, 2: 1, 10: None, 11: 10, 12: 11})
    keep = {3: {"backup_keep": "forever"}}
    past.add("disk", {0: None, 1: None, 2: 0, 3: None, 9: None}, properties=keep)
    past.count_quota()


def prune(past: Any) -> None:
    from backup_dispatch.jobs.prune.policy import Policy

    past.carry_out(past.plan(Policy(last=2)))


def end_of(past: Any) -> tuple[Any, ...]:
    stored = {one: past.shelves.content(one) for one in past.records()}
    return past.records(), past.properties(), stored, set(past.shelves.stored)


@pytest.mark.faults
def test_a_run_killed_at_any_moment_ends_as_one_that_was_not(past: Any, tmp_path: Any) -> None:
    fill(past)
    database, saved = past.cinder.database, tmp_path / "saved.sqlite"
    stored = {one: (each.parent, each.blocks) for one, each in past.shelves.stored.items()}
    shutil.copyfile(database, saved)

    def begin_again() -> None:
        from tests.fixtures.cinder.database import one_engine

        one_engine().engine.dispose()
        shutil.copyfile(saved, database)
        past.shelves.stored.clear()
        for one, (parent, blocks) in stored.items():
            past.shelves.put(one, parent, blocks)

    with reaper() as counting:
        prune(past)
    expected, used = end_of(past), past.used()
    assert len(expected[0]) == 7
    draw = random.Random(SEED)
    for moment in sorted(draw.sample(range(1, counting.seen + 1), min(MOMENTS, counting.seen))):
        begin_again()
        with reaper() as killing:
            killing.at = moment
            # What the database layer makes of it is not ours; no later statement is let through.
            with pytest.raises((Killed, Exception)):
                prune(past)
        if killing.in_service:
            # It starts again, sooner or later, and Cinder resumes what it was deleting.
            if draw.random() < 0.3:
                prune(past)
            past.cinder.restart_backup_manager()
        prune(past)
        assert end_of(past) == expected, f"killed before statement {moment}, seed {SEED}"
        # Cinder counts after it has deleted: in between, one backup stays counted.
        off = {past.used()[name] - count for name, count in used.items()}
        assert off <= {0, 1}, f"killed before statement {moment}, seed {SEED}"


def test_a_job_runs_once_at_a_time_and_others_beside_it(past: Any) -> None:
    from backup_dispatch.jobs.locking import JobRunning, only_run_of

    with only_run_of("prune"):
        with pytest.raises(JobRunning), only_run_of("prune"):
            pass
        with only_run_of("verify"):
            pass
    with only_run_of("prune"):
        pass
