# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch route``: what it says is what the dispatcher then does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
Run = Callable[..., Any]
RunJson = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "backend", "rule"),
    [
        (["Shelf_Driver_x"], "shelf_driver", "prefix"),
        (["x", "--property", "backup_backend=shelf_driver"], "shelf_driver", "property"),
        (["x", "--property", "other=shelf_driver"], "posix", "primary"),
        (["x", "--volume-type", "gold"], "shelf_driver", "volume type"),
        (["posix_x", "--volume-type", "gold"], "posix", "prefix"),
        ([""], "posix", "primary"),
    ],
)
def test_route_names_the_backend_and_the_rule(
    start_dispatching: Start, run_json: RunJson, arguments: list[str], backend: str, rule: str
) -> None:
    cinder = start_dispatching()
    cinder.create_volume_type("gold", {"backup:backend": "shelf_driver"})
    told = run_json("route", *arguments)
    assert (told["name"], told["backend"], told["rule"]) == (arguments[0], backend, rule)
    assert told["because"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["ceph_x"], 1, "begins with ceph, a backend that is not enabled here"),
        (["posix_x", "--property", "backup_backend=shelf_driver"], 1, "make them agree"),
        (["x", "--volume-type", "none"], 1, "There is no volume type none."),
        (["x", "--parent", "none"], 1, "There is no backup with the id or the name none."),
        (["x", "--property", "none"], 2, "write K=V"),
    ],
)
def test_a_refusal_is_one_line(
    start_dispatching: Start, run: Run, arguments: list[str], code: int, text: str
) -> None:
    start_dispatching()
    ended = run("route", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert text in ended.err
    assert ended.err.count("\n") == 1


def test_where_nothing_goes_to_the_primary_unasked(start_dispatching: Start, run: Run) -> None:
    start_dispatching(more="backup_dispatch_unmatched = refuse")
    ended = run("route", "x")
    assert ended.code == 1
    assert "Nothing says which backend the backup belongs to" in ended.err


@pytest.mark.parametrize("name", ["tuesday", "posix_2", "shelf_driver_2"])
@pytest.mark.parametrize("full", [["shelf_driver_1"], ["posix_1", "shelf_driver_1"]])
def test_an_incremental_goes_where_it_was_said_that_it_would(
    start_dispatching: Start, run: Run, name: str, full: list[str]
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for one in full:
        newest = cinder.create_backup(volume, one)
        assert newest.status == "available", newest.fail_reason
    told = run("route", name, "--parent", newest.id, "-f", "json")
    made = cinder.create_backup(volume, name, incremental=True)
    if made.status == "error":
        assert told.code == 1
        assert "Make a full backup there first." in told.err
        assert "Make a full backup there first." in made.fail_reason
    else:
        assert told.json["backend"] == made.metadata["backup_backend"]
        assert told.json["parent"] == made.parent_id


def test_route_changes_no_record(start_dispatching: Start, run_json: RunJson) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "posix_1")
    backup.service = "backup_dispatch.driver.BackupDispatcher"
    backup.metadata = {}
    backup.save()
    assert run_json("route", "x", "--parent", backup.id)["parent"] == backup.id
    after = cinder.backup(backup.id)
    assert (after.service, after.metadata) == (backup.service, {})
    assert after.num_dependent_backups == 0


def test_a_parent_on_the_right_backend_stays(start_dispatching: Start, run_json: RunJson) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    older = cinder.create_backup(volume, "posix_1")
    cinder.create_backup(volume, "posix_2")
    assert run_json("route", "posix_3", "--parent", older.id)["parent"] == older.id


@pytest.mark.parametrize("name", ["tuesday", "posix_2"])
def test_route_where_a_parents_owner_is_not_known_says_so(
    start_dispatching: Start, run: Run, shelf: Path, name: str
) -> None:
    cinder = start_dispatching()
    # An empty folder could be that of a share which is not mounted.
    (shelf.with_name("posix") / "another's").touch()
    backup = cinder.create_backup(cinder.create_volume(1), "shelf_driver_1")
    backup.service = "backup_dispatch.driver.BackupDispatcher"
    backup.save()
    shelf.rename(shelf.with_name("away"))
    ended = run("route", name, "--parent", backup.id)
    assert (ended.code, ended.out) == (3, "")
    assert f"Backup {backup.id}: its record names no backend, and shelf_driver did not" in ended.err
    assert "Backup backend shelf_driver is down" in ended.err
