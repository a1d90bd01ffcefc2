# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch check``: every backend, up or down, and never longer than it may take."""

from __future__ import annotations

import importlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends import shelf_driver

Start = Callable[..., Any]
Run = Callable[..., Any]

SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"


def test_check_lists_backends_that_are_up(
    start_dispatching: Start, run_json: Callable[..., Any]
) -> None:
    start_dispatching()
    rows = run_json("check")
    assert all(row.pop("Seconds") < 60 for row in rows)
    assert rows == [
        {
            "Backend": "(service)",
            "Driver": "",
            "Section": "",
            "Primary": False,
            "State": "up",
            "Looked at": ["backup_driver", "coordination", "records"],
            "Reason": "",
        },
        {
            "Backend": "posix",
            "Driver": "posix",
            "Section": "",
            "Primary": True,
            "State": "up",
            "Looked at": ["folder", "permissions", "free space"],
            "Reason": "",
        },
        {
            "Backend": "shelf_driver",
            "Driver": SHELF,
            "Section": "",
            "Primary": False,
            "State": "up",
            "Looked at": ["shelf"],
            "Reason": "",
        },
    ]


def test_one_that_is_down_fails_the_command_and_is_named(
    start_dispatching: Start, run: Run, shelf: Path
) -> None:
    start_dispatching()
    shutil.rmtree(shelf)
    ended = run("check")
    assert ended.code == 1
    assert "DOWN" in ended.out
    assert ended.err == f"shelf_driver: {shelf} is not there. Put the shelf up.\n"
    (down,) = [row for row in run("check", "-f", "json").json if row["State"] == "down"]
    assert down["Backend"] == "shelf_driver"
    assert "is not there" in down["Reason"]
    (down,) = [row for row in run("check", "--deep", "-f", "json").json if row["State"] == "down"]
    assert down["Looked at"] == ["shelf"], "nothing is tried where nothing works"


def test_one_that_hangs_is_down_when_its_time_is_over(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_dispatching()
    away = threading.Event()

    def examine(_driver: Any) -> Any:
        yield "door", "up", ""
        away.wait()

    monkeypatch.setattr(shelf_driver.ShelfBackupDriver, "examine", examine)
    ended = run("check", "--timeout", "0.3", "-f", "json")
    away.set()
    assert ended.code == 1
    assert [row["State"] for row in ended.json] == ["up", "up", "down"]
    assert ended.json[2]["Reason"] == "it has not answered within 0.3 seconds"
    assert ended.json[2]["Looked at"] == ["door"]


def test_check_names_the_section_of_a_backend(
    start_cinder: Start, run_json: Callable[..., Any], shelf: Path
) -> None:
    start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        "enabled_backup_backends = posix, east",
        sections=f"[east]\nbackup_driver = posix\nbackup_posix_path = {shelf}",
    )
    found = [(row["Backend"], row["Driver"], row["Section"]) for row in run_json("check")]
    assert found[1:] == [("posix", "posix", ""), ("east", "posix", "east")]


def test_options_that_cannot_be_meant_are_one_line(start_cinder: Start, run: Run) -> None:
    start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        "enabled_backup_backends = posix, nowhere"
    )
    ended = run("check")
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("backup-dispatch: enabled_backup_backends has 'nowhere': ")
    assert ended.err.count("\n") == 1


def test_a_reason_that_tells_a_secret_is_masked(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell(_driver: Any) -> None:
        raise ConnectionError("tenant:s3kr1t-key at https://me:other-s3kr1t@host, password=third")

    monkeypatch.setattr(shelf_driver.ShelfBackupDriver, "examine", tell)
    cinder = start_dispatching(more="backup_swift_key = s3kr1t-key\n")
    importlib.import_module("cinder.backup.drivers.swift")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    for arguments, code in (
        (["check"], 1),
        (["check", "-f", "json"], 1),
        (["-v", "adopt", backup.id, "shelf_driver"], 3),
    ):
        ended = run(*arguments)
        assert ended.code == code
        said = ended.out + ended.err
        assert "https://me:***@host" in said
        for secret in ("s3kr1t", "third"):
            assert secret not in said


def test_backup_driver_that_is_not_the_dispatcher_is_down_before_all_else(
    start_cinder: Start, run: Run
) -> None:
    start_cinder(defaults="backup_driver = cinder.backup.drivers.posix.PosixBackupDriver")
    ended = run("check", "-f", "json")
    assert ended.code == 1
    (service,) = ended.json
    assert (service["Backend"], service["State"]) == ("(service)", "down")
    assert "backup_driver = backup_dispatch.driver.BackupDispatcher" in service["Reason"]


def test_backends_beside_another_backup_driver_are_looked_at_all_the_same(
    start_cinder: Start, run: Run
) -> None:
    start_cinder(
        defaults="backup_driver = cinder.backup.drivers.posix.PosixBackupDriver\n"
        "enabled_backup_backends = posix"
    )
    ended = run("check", "-f", "json")
    assert [(row["Backend"], row["State"]) for row in ended.json] == [
        ("(service)", "down"),
        ("posix", "up"),
    ]


def test_warning_alone_ends_with_0_and_with_strict_with_1(
    start_dispatching: Start, run: Run, tmp_path: Path
) -> None:
    start_dispatching(more=f"backup_posix_path = {tmp_path}/to-be-made")
    ended = run("check")
    assert ended.code == 0
    assert "| WARN " in ended.out
    assert ended.err.startswith(f"posix: {tmp_path}/to-be-made ([DEFAULT] backup_posix_path) does")
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "to-be-made").exists()
    assert run("check", "--strict").code == 1


def test_driver_without_examine_is_not_even_made(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_dispatching()
    monkeypatch.delattr(shelf_driver.ShelfBackupDriver, "examine")
    monkeypatch.setattr(shelf_driver.ShelfBackupDriver, "__init__", None)
    ended = run("check", "-f", "json")
    assert ended.code == 3
    assert ended.json[2]["State"] == "warn"
    assert "has no method examine()" in ended.json[2]["Reason"]
