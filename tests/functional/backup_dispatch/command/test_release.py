# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch release``: what vanilla Cinder would disown, by vanilla Cinder's own word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from cinder import objects
from oslo_config import cfg
from oslo_utils import timeutils

from backup_dispatch.backends.configured import Backend
from backup_dispatch.process import check_of

pytestmark = pytest.mark.long

Start = Callable[..., Any]
Run = Callable[..., Any]

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
DISPATCHER = "backup_dispatch.driver.BackupDispatcher"


@pytest.fixture
def cinder(start_cinder: Start, shelf: Path) -> Any:
    """Two backends of the class posix: records of the second carry its name."""
    started = start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        "enabled_backup_backends = posix, east, other",
        sections=f"[east]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
        "[other]\nbackup_driver = tests.fixtures.backends.shelf_driver\n"
        f"backup_shelf_path = {shelf}\n",
    )
    set_last_sign_of_life(started, datetime(2026, 1, 1, tzinfo=timezone.utc))
    return started


def set_last_sign_of_life(cinder: Any, moment: datetime) -> None:
    """As if cinder-backup had been stopped then."""
    for service in objects.ServiceList.get_all(cinder.context, {"topic": "cinder-backup"}):
        service.updated_at = moment
        service.save()


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


def test_release_says_why_cinder_would_not_own_a_record(records: dict[str, Any], run: Run) -> None:
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


@pytest.mark.parametrize(
    ("driver", "why"),
    [
        ("none", "there is no such backend"),
        ("some.text", "there is no such module and no such class"),
        ("cinder.backup.api.API", "that is no backup driver"),
        (DISPATCHER, "that is the dispatcher itself"),
    ],
)
def test_release_for_what_is_no_driver_is_refused(
    cinder: Any, run: Run, driver: str, why: str
) -> None:
    ended = run("release", "--driver", driver)
    assert (ended.code, ended.out) == (2, "")
    assert f"--driver has '{driver}': " in ended.err
    assert why in ended.err


def test_rewriting_beside_a_living_service_is_refused(
    cinder: Any, records: dict[str, Any], run: Run
) -> None:
    set_last_sign_of_life(cinder, timeutils.utcnow())
    ended = run("release", "--rewrite", "east", "--yes")
    assert (ended.code, ended.out) == (1, "")
    assert "cinder-backup is up on " in ended.err
    assert "add --while-running. Nothing was rewritten." in ended.err
    assert cinder.backup(records["east_1"].id).service == f"{POSIX}@east"
    assert run("release", "--rewrite", "east", "--yes", "--while-running").code == 0
    assert cinder.backup(records["east_1"].id).service == POSIX


def test_rewriting_lists_what_it_could_not_find_out(
    cinder: Any, records: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = {records["imported"].id, records["imported_too"].id}
    asked: list[str] = []

    def time_out(driver: Any, container: str, prefix: str) -> Any:
        asked.append(prefix)
        raise TimeoutError("no answer in 60 s")

    make = Backend.make

    def make_slow(backend: Backend, context: Any) -> Any:
        driver = make(backend, context)
        monkeypatch.setattr(type(driver), "get_container_entries", time_out)
        return driver

    monkeypatch.setattr(Backend, "make", make_slow)
    ended = run("release", "--rewrite", "other", "--yes", "-f", "json")
    assert ended.code == 3
    assert {row["ID"]: row["Result"] for row in ended.json} == dict.fromkeys(imported, "not known")
    assert len(asked) == len(imported)
    why = "whether other has the data of 2 records, which were left as they are: TimeoutError: no"
    assert f"It is not known {why}" in ended.err
    assert "needs to be rewritten" not in ended.err
    assert all(cinder.backup(one).service == DISPATCHER for one in imported)


def test_rewriting_for_a_backend_that_is_down_does_what_is_certain(
    cinder: Any, records: dict[str, Any], run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []

    def noting(backend: Backend) -> Any:
        looked_at.append(backend.name)
        return check_of(backend)

    monkeypatch.setattr("backup_dispatch.command.cloud.check_of", noting)
    # As before the backend adopted the plain records of its class.
    records["other_1"].service = f"{SHELF}@other"
    records["other_1"].save()
    shelf.rename(shelf.with_name("away"))
    ended = run("release", "--rewrite", "other", "--yes", "-f", "json")
    assert ended.code == 3
    told = {row["ID"]: row["Result"] for row in ended.json}
    assert told == {
        records["other_1"].id: "rewritten",
        records["imported"].id: "not known",
        records["imported_too"].id: "not known",
    }
    assert "Backup backend other is down: " in ended.err
    assert looked_at == ["other"], "once, for it may take its time"
    assert cinder.backup(records["other_1"].id).service == SHELF

    records["other_1"].service = f"{SHELF}@other"
    records["other_1"].save()
    monkeypatch.setattr(objects.Backup, "conditional_update", lambda *_given: False)
    ended = run("release", "--rewrite", "other", "--yes", "-f", "json")
    assert {row["Result"] for row in ended.json} == {"left alone", "not known"}
    assert ended.code == 1, "what is certain stands"


def test_rewriting_leaves_a_record_that_changes_meanwhile(
    cinder: Any, records: dict[str, Any], run: Run
) -> None:
    from backup_dispatch.command.verbs.release import Release

    rewritten = Release._rewritten

    def after_another(command: Any, backup: Any, backend: Any) -> Any:
        record = cinder.backup(records["east_1"].id)
        record.service = "somewhere.else.Driver"
        record.save()
        return rewritten(command, backup, backend)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Release, "_rewritten", after_another)
        ended = run("release", "--rewrite", "east", "--yes", "-f", "json")
    assert ended.code == 1
    results = {row["ID"]: row["Result"] for row in ended.json}
    assert results[records["east_1"].id] == "left alone"
    assert results[records["imported"].id] == "rewritten"
    assert cinder.backup(records["east_1"].id).service == "somewhere.else.Driver"


def test_the_table_fits_a_terminal(records: dict[str, Any], run: Run) -> None:
    assert records
    assert max(map(len, run("release").out.splitlines())) <= 80
    assert max(map(len, run("release", "--rewrite", "east", "--yes").out.splitlines())) <= 80
