# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a job's last run."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backup_dispatch.jobs.runs import Run, Runs

BEGIN = datetime(2026, 11, 30, 6, 0, 0)
MINUTE = timedelta(minutes=1)


class Clock:
    now = BEGIN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(tmp_path: Path, clock: Clock) -> Runs:
    return Runs(tmp_path / "state" / "runs", clock)


def test_a_run_that_ends_well_is_the_last_success(runs: Runs, clock: Clock) -> None:
    runs.begin("prune")
    assert runs.all() == [Run("prune", BEGIN)]
    clock.now += MINUTE
    runs.end("prune", 0)
    assert runs.all() == [Run("prune", BEGIN, BEGIN + MINUTE, 0, BEGIN + MINUTE)]


def test_a_failure_or_a_kill_keeps_the_last_success(runs: Runs, clock: Clock) -> None:
    runs.begin("verify")
    runs.end("verify", 0)
    clock.now += MINUTE
    runs.begin("verify")
    (killed,) = runs.all()
    assert (killed.began, killed.ended, killed.succeeded) == (BEGIN + MINUTE, None, BEGIN)
    runs.end("verify", 3)
    (failed,) = runs.all()
    assert (failed.ended, failed.code, failed.succeeded) == (BEGIN + MINUTE, 3, BEGIN)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"began": 3}', '{"began": "yesterday"}'])
def test_a_file_that_is_none_of_ours_is_left_out(runs: Runs, tmp_path: Path, text: str) -> None:
    runs.begin("copy")
    (tmp_path / "state" / "runs" / "other.json").write_text(text)
    assert [run.job for run in runs.all()] == ["copy"]


def test_a_folder_that_cannot_be_written_ends_no_job(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    runs = Runs(tmp_path / "file" / "runs", clock)
    runs.begin("prune")
    runs.end("prune", 0)
    assert runs.all() == []
