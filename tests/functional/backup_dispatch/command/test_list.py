# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch list``: every record counts, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from oslo_utils import timeutils

pytestmark = [pytest.mark.release, pytest.mark.long]

Start = Callable[..., Any]
Run = Callable[..., Any]


def test_each_record_counts_where_it_belongs(
    start_dispatching: Start, run_json: Callable[..., Any]
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(2)
    for name in ("posix_1", "shelf_driver_1", "posix_2", "posix_3", "posix_4"):
        made = cinder.create_backup(volume, name, incremental=name == "posix_2")
        assert made.status == "available", made.fail_reason
    made.status = "error"
    made.save()
    for service in (
        "cinder.backup.drivers.swift.SwiftBackupDriver",
        "cinder.backup.drivers.posix.PosixBackupDriver@east",
        "backup_dispatch.driver.BackupDispatcher",
    ):
        other = cinder.create_backup(volume, "posix_x")
        other.service = service
        other.save()
    assert cinder.create_backup(volume, "ceph_1").status == "error"

    rows = run_json("list")
    today = made.created_at.strftime("%Y-%m-%d")
    assert {row["Oldest"][:10] for row in rows} == {row["Newest"][:10] for row in rows} == {today}
    counted = {
        row["Backend"]: (row["Backups"], row["GB"], row["Chains"], row["In error"]) for row in rows
    }
    assert counted == {
        "posix": (4, 8, 3, 1),
        "shelf_driver": (1, 2, 1, 0),
        "(swift, not enabled)": (1, 2, 1, 0),
        "(east, not enabled)": (1, 2, 1, 0),
        "(not known yet)": (1, 2, 1, 0),
        "(refused, on none)": (1, 2, 1, 1),
    }


def test_list_without_backups_is_all_zeros(
    start_dispatching: Start, run_json: Callable[..., Any]
) -> None:
    start_dispatching()
    assert [(row["Backend"], row["Backups"], row["Oldest"]) for row in run_json("list")] == [
        ("posix", 0, None),
        ("shelf_driver", 0, None),
    ]


def test_the_table_fits_a_terminal(start_dispatching: Start, run: Callable[..., Any]) -> None:
    start_dispatching()
    assert max(map(len, run("list").out.splitlines())) <= 80


@pytest.fixture
def three_backups(start_dispatching: Start) -> dict[str, Any]:
    """Two chained ones on posix and one on the shelf, which is old, of another project, failed."""
    cinder = start_dispatching()
    volume = cinder.create_volume(2)
    made = {
        name: cinder.create_backup(volume, name, incremental=name == "posix_2")
        for name in ("posix_1", "posix_2", "shelf_driver_1")
    }
    assert {one.status for one in made.values()} == {"available"}
    old = made["shelf_driver_1"]
    old.created_at = timeutils.utcnow(with_timezone=True) - timedelta(days=40)
    old.project_id, old.volume_id, old.status = "e" * 32, str(uuid4()), "error"
    old.save()
    return made


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--backend", "Posix"], {"posix_1", "posix_2"}),
        (["--backend", "shelf_driver"], {"shelf_driver_1"}),
        (["--project", "f" * 32], {"posix_1", "posix_2"}),
        (["--older-than", "30d"], {"shelf_driver_1"}),
        (["--older-than", "6w"], set()),
        (["--status", "error"], {"shelf_driver_1"}),
        (["--status", "available", "--backend", "shelf_driver"], set()),
    ],
)
def test_list_with_a_filter_lists_the_backups_that_pass_it(
    three_backups: dict[str, Any], run: Run, options: list[str], names: set[str]
) -> None:
    ended = run("list", *options, "-f", "json")
    assert ended.code == 0, ended.err
    assert {row["Name"] for row in ended.json} == names


def test_list_of_a_volume_tells_each_backup_whole(
    three_backups: dict[str, Any], run_json: Callable[..., Any]
) -> None:
    first, second = three_backups["posix_1"], three_backups["posix_2"]
    # Against the order of their ids, in which they are read.
    older, newer = sorted((first, second), key=lambda one: str(one.id), reverse=True)
    older.created_at -= timedelta(days=1)
    older.save()
    rows = run_json("list", "--volume", first.volume_id)
    assert [row["ID"] for row in rows] == [older.id, newer.id], "the oldest first"
    assert rows[[older, newer].index(second)] == {
        "ID": second.id,
        "Name": "posix_2",
        "Backend": "posix",
        "Project": "f" * 32,
        "Volume": first.volume_id,
        "GB": 2,
        "Created": second.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Parent": first.id,
        "State": "available",
        "Verified": None,
        "Verdict": None,
    }


def test_list_of_a_backend_that_is_not_enabled_lists_what_records_say(
    three_backups: dict[str, Any], run: Run
) -> None:
    moved, imported = three_backups["posix_2"], three_backups["posix_1"]
    moved.service = "cinder.backup.drivers.posix.PosixBackupDriver@east"
    moved.save()
    imported.service = "backup_dispatch.driver.BackupDispatcher"
    imported.save()
    ended = run("list", "--backend", "east", "-f", "json")
    assert [(row["Name"], row["Backend"]) for row in ended.json] == [
        ("posix_2", "(east, not enabled)")
    ]
    assert ended.err == "Of 1 other records it is not known yet which backend has the data.\n"


@pytest.mark.parametrize("name", ["posix_1", "x" * 200])
def test_list_of_backups_fits_a_terminal_and_its_short_ids_name_them(
    three_backups: dict[str, Any], run: Run, name: str
) -> None:
    backup = three_backups["posix_1"]
    backup.display_name, backup.status = name, "error_deleting"
    backup.save()
    for option in (("--backend", "posix"), ("--older-than", "1h"), ("--volume", backup.volume_id)):
        assert max(map(len, run("list", *option).out.splitlines())) <= 80
    line = next(
        one for one in run("list", "--backend", "posix").out.splitlines() if name[:5] in one
    )
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[0] == backup.id[:8]
    assert cells[2:] == ["f" * 8, "2", backup.created_at.strftime("%Y-%m-%d"), "", "error_deleting"]
    assert run("show", cells[0], "-f", "json").json["id"] == backup.id


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--older-than", "30"], "is no age: write a number of hours, days or weeks"),
        (["--older-than", "-1d"], "expected one argument"),
        (["--older-than", "99999999w"], "is more than a hundred years"),
        (["--status", "fine"], "'fine' is no state of a backup: error, "),
        (["--volume", "data"], "give the volume's id"),
        (["--backend", "nosuch"], "There is no backend nosuch, and no record names one"),
    ],
)
def test_list_with_a_filter_that_cannot_be_meant_is_refused(
    start_dispatching: Start, run: Run, arguments: list[str], told: str
) -> None:
    start_dispatching()
    ended = run("list", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
