# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch metrics`` beside a Cinder."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from oslo_config import cfg
from prometheus_client.parser import text_string_to_metric_families

from demo.waiting import until
from tests.fixtures.ordinary_user import PROJECT
from tests.functional.backup_dispatch.command.test_many_records import POSIX, record, statements
from tests.functional.backup_dispatch.command.test_process import arguments

pytestmark = pytest.mark.release

Start = Callable[..., Any]
Run = Callable[..., Any]


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (one.name.removeprefix("backup_dispatch_"), *map(str, one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_metrics_of_real_backups(start_dispatching: Start, run: Run) -> None:
    cinder = start_dispatching()
    volume, _bare = cinder.create_volume(1), cinder.create_volume(2)
    for name in ("posix_1", "posix_2", "shelf_driver_1"):
        made = cinder.create_backup(volume, name, incremental=name == "posix_2")
        assert made.status == "available", made.fail_reason
    assert cinder.create_backup(volume, "ceph_1").status == "error"
    old = cinder.backup(made.id)
    old.data_timestamp -= timedelta(days=3)
    old.save()

    ended = run("metrics")
    assert (ended.code, ended.err) == (0, "")
    found = samples(ended.out)
    assert found["backups", "posix", "available"] == 2
    assert found["backups", "shelf_driver", "available"] == 1
    assert found["backups", "(none)", "error"] == 1
    assert found["backend_state", "posix", "up"] == 1
    assert sum(v for k, v in found.items() if k[:2] == ("backend_state", "shelf_driver")) == 1
    assert found["measured_backups", "posix"] == 2
    assert found["verified_backups", "posix", "never"] == 2
    kinds = {key[2] for key in found if key[0] == "newest_good_backup_timestamp_seconds"}
    (kind,) = kinds
    newest = "newest_good_backup_timestamp_seconds"
    assert found[newest, "posix", kind] - found[newest, "shelf_driver", kind] > 3 * 86400 - 60
    assert (found["volumes", "yes", kind], found["volumes", "no", kind]) == (1, 1)
    assert volume.id not in ended.out
    assert volume.project_id not in ended.out


RETENTION = "backup_dispatch_retention = nightly"


def test_what_a_policy_no_longer_keeps_is_told_and_stays(
    start_dispatching: Start, run: Run
) -> None:
    policy = "[nightly]\nname_prefix = posix\nkeep_last = 1\n"
    cinder = start_dispatching(more=RETENTION, sections=policy)
    volume = cinder.create_volume(1)
    for name in ("posix_1", "posix_2", "shelf_driver_1"):
        assert cinder.create_backup(volume, name).status == "available"
    found = samples(run("metrics", "--no-check").out)
    assert found["prunable_backups", "posix"] == 1
    assert found["prunable_backups", "shelf_driver"] == 0
    (due,) = json.loads(run("report", "--no-check", "-f", "json").out)["due"]
    assert (due["name"], due["policy"]) == ("posix_1", "nightly")
    assert samples(run("metrics", "--no-check").out)["backups", "posix", "available"] == 2


def test_a_policy_that_cannot_be_used_hides_nothing_else(
    start_dispatching: Start, run: Run
) -> None:
    start_dispatching(more=RETENTION, sections="[nightly]\nkeep_dayly = 1\n")
    ended = run("metrics", "--no-check")
    assert ended.code == 3
    assert "What is due to be pruned is not known: [nightly] keep_dayly" in ended.err
    found = samples(ended.out)
    assert found["backups", "posix", "available"] == 0
    assert not [key for key in found if "prunable" in key[0]]
    report = run("report", "--no-check")
    assert report.code == 3
    assert "keep_dayly" in report.out


def test_only_runs_over_everything_count_as_a_jobs(start_dispatching: Start, run: Run) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    assert cinder.create_backup(volume, "posix_1").status == "available"
    keep = ("--keep-last", "5")
    for command in (
        ["prune", *keep, "--dry-run"], ["prune", *keep, "--volume", volume.id],
        ["verify", "posix_1"], ["verify", "--all", "--dry-run"],
        ["copy", "posix_1", "--to", "shelf_driver", "--dry-run"],
    ):  # fmt: skip
        run(*command)
    assert not [key for key in samples(run("metrics", "--no-check").out) if "job" in key[0]]
    codes = {
        command[0]: run(*command).code
        for command in (
            ["prune", *keep], ["verify", "--all"], ["copy", "--from", "nosuch", "--to", "posix"],
        )
    }  # fmt: skip
    found = samples(run("metrics", "--no-check").out)
    told = {key[1]: value for key, value in found.items() if key[0] == "job_last_exit_code"}
    assert told == codes
    assert codes["prune"] == codes["verify"] == 0
    assert codes["copy"] != 0
    succeeded = "job_last_success_timestamp_seconds"
    assert found[succeeded, "prune"] > 0
    assert found[succeeded, "copy"] == 0


def test_a_refused_run_changes_nothing_that_is_told_of_the_one_under_way(
    start_dispatching: Start, run: Run
) -> None:
    from backup_dispatch.jobs.locking import only_run_of
    from backup_dispatch.jobs.runs import Runs, folder_of
    from backup_dispatch.jobs.standing.reading import utc_now

    start_dispatching()
    prune = ["prune", "--keep-last", "5"]
    runs = Runs(folder_of(cfg.CONF), utc_now)
    code, end = ("job_last_exit_code", "prune"), ("job_last_end_timestamp_seconds", "prune")

    with only_run_of("prune"):
        begun = runs.begin("prune")
        assert run(*prune).code == 1
        # Nor does one that ends before it asks for the lock.
        assert run("prune").code == 2
        meanwhile = samples(run("metrics", "--no-check").out)
        assert code not in meanwhile
        assert meanwhile[end] == 0
        runs.end(begun, 3)
        assert samples(run("metrics", "--no-check").out)[code] == 3

        # Now the one with the lock is on another host, of which nothing is remembered here.
        assert run(*prune).code == 1
    assert samples(run("metrics", "--no-check").out)[code] == 1
    assert run("prune").code == 2
    assert samples(run("metrics", "--no-check").out)[code] == 2


def test_a_file_is_replaced_as_a_whole_and_only_by_a_good_one(
    start_dispatching: Start, run: Run, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    path = tmp_path / "backups.prom"
    ended = run("metrics", "--output", str(path), "--no-check")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    before = path.read_text()
    assert "backend_state" not in before
    with sqlite3.connect(cinder.database) as database:
        database.execute("ALTER TABLE backups RENAME TO lost")
    ended = run("metrics", "--output", str(path))
    assert ended.code == 1
    assert "no such table" in ended.err
    assert path.read_text() == before
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".backups")]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--output", "/nowhere/at/all/x.prom"], "there is no folder /nowhere/at/all"),
        (["--output", "/"], "is a folder"),
        (["--listen", "here"], "is no address to listen at"),
        (["--listen", "127.0.0.1:99999"], "is no address to listen at"),
        (["--listen", "127.0.0.1:0", "--output", "x"], "not allowed with"),
        (["--interval", "5"], "--interval is for --listen"),
        (["--prefix", "a b"], "is no prefix"),
        (["--prefix", "x" * 65], "is no prefix"),
        ([word for n in range(51) for word in ("--prefix", f"p{n}")], "50 at most"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    start_dispatching: Start, run: Run, options: list[str], told: str
) -> None:
    start_dispatching()
    ended = run("metrics", *options)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_many_records_are_read_in_pages(start_dispatching: Start, run: Run) -> None:
    record(start_dispatching(), 5000, POSIX, chained=True)
    for command in (["metrics"], ["report"]):
        with statements() as asked:
            ended = run(*command, "--no-check")
        assert ended.code == 0, ended.err
        assert len(asked) <= 6


def test_metrics_are_served_by_a_process_until_it_is_ended(
    start_dispatching: Start, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    assert cinder.create_backup(cinder.create_volume(1), "posix_1").status == "available"
    process = subprocess.Popen(
        arguments(tmp_path, "metrics", "--listen", "127.0.0.1:0", "--interval", "3600"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert told.startswith("Serving http://127.0.0.1:"), told
        address = told.split()[1].removesuffix("/metrics")
        text = until_served(f"{address}/metrics")
        assert samples(text)["backups", "posix", "available"] == 1
        with urlopen(f"{address}/health", timeout=30) as answer:
            assert json.load(answer)["status"] == "ok"
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err


def until_served(address: str) -> str:
    """The first snapshot, which is read after the server listens."""

    def ask() -> str:
        with urlopen(address, timeout=30) as answer:
            return str(answer.read().decode())

    return until("the first snapshot", ask, seconds=60)
