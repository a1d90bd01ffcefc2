# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch release``: what vanilla Cinder would disown, by vanilla Cinder's own word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

Start = Callable[..., Any]
Run = Callable[..., Any]

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SHELF = "tests.fixtures.shelf_driver.ShelfBackupDriver"
DISPATCHER = "backup_dispatch.driver.BackupDispatcher"


@pytest.fixture
def cinder(start_cinder: Start, shelf: Path) -> Any:
    """Two backends of the class posix: records of the second carry its name."""
    return start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        "enabled_backup_backends = posix, east, other",
        sections=f"[east]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
        "[other]\nbackup_driver = tests.fixtures.shelf_driver\n"
        f"backup_shelf_path = {shelf}\n",
    )


@pytest.fixture
def records(cinder: Any) -> dict[str, Any]:
    volume = cinder.create_volume(1)
    made = {name: cinder.create_backup(volume, name) for name in ("posix_1", "east_1", "other_1")}
    assert {one.status for one in made.values()} == {"available"}
    # What releases before the class was recorded left; vanilla Cinder still takes it.
    made["posix_1"].service = "cinder.backup.drivers.posix"
    made["posix_1"].save()
    made["imported"] = cinder.create_backup(volume, "east_2")
    made["imported"].service = DISPATCHER
    made["imported"].metadata = {}
    made["imported"].save()
    made["imported_too"] = cinder.create_backup(volume, "posix_3")
    made["imported_too"].service = DISPATCHER
    made["imported_too"].save()
    made["foreign"] = cinder.create_backup(volume, "posix_2")
    made["foreign"].service = "somewhere.else.Driver"
    made["foreign"].save()
    made["refused"] = cinder.create_backup(volume, "ceph_1")
    return made


def owned_by_vanilla(driver: str, records: dict[str, Any], cinder: Any) -> set[str]:
    """What a manager without the dispatcher calls its own."""
    from cinder.backup import manager

    cfg.CONF.set_override("backup_driver", driver)
    vanilla = manager.BackupManager(host="h", cluster=None)
    return {name for name, one in records.items() if vanilla._is_our_backup(cinder.backup(one.id))}


@pytest.mark.parametrize(
    ("arguments", "driver"),
    [([], POSIX), (["--driver", "other"], SHELF), (["--driver", SHELF], SHELF)],
)
def test_what_is_listed_is_what_vanilla_cinder_disowns(
    cinder: Any, records: dict[str, Any], run: Run, arguments: list[str], driver: str
) -> None:
    ended = run("release", *arguments, "-f", "json")
    assert ended.code == 0
    listed = {row["ID"] for row in ended.json}
    owned = owned_by_vanilla(driver, records, cinder)
    assert listed == {one.id for name, one in records.items() if name not in owned}
    assert "refused" in owned
    assert f"With backup_driver = {driver} Cinder would disown {len(listed)} of 7" in ended.err


def test_why(records: dict[str, Any], run: Run) -> None:
    rows = {row["ID"]: row for row in run("release", "-f", "json").json}
    told = {
        name: (rows[one.id]["Backend"], rows[one.id]["Why"], rows[one.id]["Record says"])
        for name, one in records.items()
        if one.id in rows
    }
    assert told == {
        "east_1": ("east", "names the backend", f"{POSIX}@east"),
        "other_1": ("other", "another driver", SHELF),
        "imported": ("", "not known yet", DISPATCHER),
        "imported_too": ("", "not known yet", DISPATCHER),
        "foreign": ("", "not enabled", "somewhere.else.Driver"),
    }


def test_the_records_of_one_backend_are_rewritten_and_no_other(
    cinder: Any, records: dict[str, Any], run: Run
) -> None:
    before = {name: cinder.backup(one.id).service for name, one in records.items()}
    ended = run("release", "--rewrite", "east", "--yes", "-f", "json")
    assert ended.code == 0
    assert {row["ID"] for row in ended.json} == {records["east_1"].id, records["imported"].id}
    after = {name: cinder.backup(one.id).service for name, one in records.items()}
    assert after == {**before, "east_1": POSIX, "imported": POSIX}
    assert owned_by_vanilla(POSIX, records, cinder) == {"posix_1", "east_1", "imported", "refused"}
    again = run("release", "--rewrite", "east", "--yes")
    assert again.code == 0
    assert again.err == "No record of backend east needs to be rewritten.\n"


@pytest.mark.parametrize(("answer", "terminal"), [("y\n", True), ("n\n", True), ("y\n", False)])
def test_nothing_is_rewritten_without_a_yes(
    cinder: Any, records: dict[str, Any], run: Run, answer: str, terminal: bool
) -> None:
    ended = run("release", "--rewrite", "east", stdin=answer, terminal=terminal)
    confirmed = answer == "y\n" and terminal
    assert ended.code == (0 if confirmed else 1 if terminal else 2)
    says = cinder.backup(records["east_1"].id).service
    assert says == (POSIX if confirmed else f"{POSIX}@east")
    assert ("confirm with --yes" in ended.err) is not terminal


def test_a_driver_that_can_never_own_them(records: dict[str, Any], run: Run) -> None:
    assert records
    ended = run("release", "--rewrite", "east", "--driver", "other", "--yes")
    assert ended.code == 2
    assert run("release", "--driver", "none").code == 2


def test_the_table_fits_a_terminal(records: dict[str, Any], run: Run) -> None:
    assert records
    assert max(map(len, run("release").out.splitlines())) <= 80
    assert max(map(len, run("release", "--rewrite", "east", "--yes").out.splitlines())) <= 80
