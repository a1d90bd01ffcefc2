# SPDX-License-Identifier: Apache-2.0
"""What is remembered of a job's last run."""

from __future__ import annotations

import subprocess
import sys
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
    begun = runs.begin("prune")
    assert runs.all() == [Run("prune", BEGIN)]
    clock.now += MINUTE
    runs.end(begun, 0)
    assert runs.all() == [Run("prune", BEGIN, BEGIN + MINUTE, 0, BEGIN + MINUTE)]


def test_a_failure_or_a_kill_keeps_the_last_success(runs: Runs, clock: Clock) -> None:
    runs.end(runs.begin("verify"), 0)
    clock.now += MINUTE
    begun = runs.begin("verify")
    (killed,) = runs.all()
    assert (killed.began, killed.ended, killed.succeeded) == (BEGIN + MINUTE, None, BEGIN)
    runs.end(begun, 3)
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
    runs.end(runs.begin("prune"), 0)
    assert runs.all() == []


def test_a_refused_run_leaves_what_is_remembered_of_the_one_under_way(
    runs: Runs, clock: Clock
) -> None:
    under_way = runs.begin("prune")
    clock.now += MINUTE
    refused = runs.begin("prune")
    runs.end(refused, 1, refused=True)
    assert runs.all() == [Run("prune", BEGIN)]
    clock.now += MINUTE
    runs.end(under_way, 0)
    ended = Run("prune", BEGIN, BEGIN + 2 * MINUTE, 0, BEGIN + 2 * MINUTE)
    assert runs.all() == [ended]


def test_a_refused_run_that_ends_last_is_not_the_last_run(runs: Runs, clock: Clock) -> None:
    under_way = runs.begin("prune")
    refused = runs.begin("prune")
    runs.end(under_way, 0)
    clock.now += MINUTE
    runs.end(refused, 1, refused=True)
    assert runs.all() == [Run("prune", BEGIN, BEGIN, 0, BEGIN)]


def test_a_run_refused_for_the_sake_of_another_hosts_is_remembered(runs: Runs) -> None:
    refused = runs.begin("prune")
    runs.end(refused, 1, refused=True)
    assert runs.all() == [Run("prune", BEGIN, BEGIN, 1)]


def test_of_two_that_may_run_at_once_both_ends_are_remembered(runs: Runs, clock: Clock) -> None:
    first = runs.begin("copy")
    clock.now += MINUTE
    second = runs.begin("copy")
    runs.end(first, 0)
    assert runs.all() == [Run("copy", BEGIN, BEGIN + MINUTE, 0, BEGIN + MINUTE)]
    clock.now += MINUTE
    runs.end(second, 3)
    assert runs.all() == [Run("copy", BEGIN + MINUTE, BEGIN + 2 * MINUTE, 3, BEGIN + MINUTE)]


def test_a_killed_runs_place_is_free(runs: Runs, clock: Clock, tmp_path: Path) -> None:
    program = (
        "import sys, datetime, os\n"
        "from pathlib import Path\n"
        "from backup_dispatch.jobs.runs import Runs\n"
        "begun = Runs(Path(sys.argv[1]), lambda: datetime.datetime(2026, 11, 1)).begin('prune')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "state" / "runs")], check=False)
    assert runs.all() == [Run("prune", datetime(2026, 11, 1))]
    runs.end(runs.begin("prune"), 0)
    assert runs.all() == [Run("prune", BEGIN, BEGIN, 0, BEGIN)]
