# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch list``: every record counts, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Start = Callable[..., Any]


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


def test_a_cloud_without_backups(start_dispatching: Start, run_json: Callable[..., Any]) -> None:
    start_dispatching()
    assert [(row["Backend"], row["Backups"], row["Oldest"]) for row in run_json("list")] == [
        ("posix", 0, None),
        ("shelf_driver", 0, None),
    ]


def test_the_table_fits_a_terminal(start_dispatching: Start, run: Callable[..., Any]) -> None:
    start_dispatching()
    assert max(map(len, run("list").out.splitlines())) <= 80
