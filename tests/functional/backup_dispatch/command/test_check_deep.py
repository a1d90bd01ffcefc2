# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch check --deep``: a small object through each driver, and nothing is left."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.shelf_driver import ShelfBackupDriver
from tests.fixtures.backends.swift_service import SwiftService

Start = Callable[..., Any]
Run = Callable[..., Any]


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def test_object_goes_through_every_driver_and_nothing_is_left(
    cloud_of_four: Any, run: Run, emulator: Emulator, swift: SwiftService, tmp_path: Path
) -> None:
    before = (everything(tmp_path / "posix"), everything(tmp_path / "shelf"), swift.objects())
    ended = run("check", "--deep", "-f", "json")
    assert ended.code == 0, ended.out + ended.err
    last = {row["Backend"]: row["Looked at"][-1] for row in ended.json}
    assert last.pop("(service)") == "records"
    assert last.pop("datera") == "container"
    assert set(last.values()) == {"small object"}
    after = (everything(tmp_path / "posix"), everything(tmp_path / "shelf"), swift.objects())
    assert after == before
    assert not emulator.cluster.app_instances


def test_bucket_that_was_made_for_the_object_goes_with_it(
    start_dispatching: Start, run: Run, moto: S3Endpoint
) -> None:
    buckets = [one["Name"] for one in moto.client().list_buckets()["Buckets"]]
    start_dispatching(secondaries="s3", more=moto.cinder_options("made-for-a-check"))
    ended = run("check", "--deep", "-f", "json")
    assert [row["State"] for row in ended.json] == ["up", "up", "up"], ended.json
    assert [one["Name"] for one in moto.client().list_buckets()["Buckets"]] == buckets


def test_object_that_cannot_be_read_is_down_and_removed(
    start_dispatching: Start, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_driver: Any, container: str, name: str, _metadata: Any = None) -> Any:
        raise PermissionError(13, "Permission denied", f"{container}/{name}")

    start_dispatching()
    monkeypatch.setattr(ShelfBackupDriver, "get_object_reader", refuse)
    ended = run("check", "--deep", "-f", "json")
    assert ended.code == 1
    assert [row["State"] for row in ended.json] == ["up", "up", "down"]
    assert "could not be read back: PermissionError" in ended.json[2]["Reason"]
    assert everything(shelf) == []


def test_object_that_comes_back_with_other_bytes_is_down(
    start_dispatching: Start, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_dispatching()
    monkeypatch.setattr(
        ShelfBackupDriver, "get_object_reader", lambda *_asked: io.BytesIO(b"others")
    )
    ended = run("check", "--deep", "-f", "json")
    assert ended.code == 1
    assert "reads back other bytes than were written" in ended.json[2]["Reason"]
    assert everything(shelf) == []


def test_object_that_cannot_be_removed_is_named(
    start_dispatching: Start, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_driver: Any, _container: str, _name: str) -> None:
        raise OSError("the shelf holds on to it")

    start_dispatching()
    monkeypatch.setattr(ShelfBackupDriver, "delete_object", refuse)
    ended = run("check", "--deep", "-f", "json")
    assert ended.code == 1
    (left,) = [path for path in everything(shelf) if path.is_file()]
    reason = ended.json[2]["Reason"]
    assert f"{left.name} in {left.parent.name} could not be removed: OSError: the shelf" in reason


def test_folder_that_the_object_needed_goes_with_it(
    start_dispatching: Start, run: Run, tmp_path: Path
) -> None:
    start_dispatching(more=f"backup_posix_path = {tmp_path}/not/yet/there")
    ended = run("check", "--deep", "-f", "json")
    assert ended.json[1]["Looked at"] == ["folder", "small object"]
    assert not os.path.lexists(tmp_path / "not")


def test_driver_without_examine_makes_its_own_check(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Any] = []
    start_dispatching()
    monkeypatch.delattr(ShelfBackupDriver, "examine")

    def check(driver: Any) -> None:
        checked.append(driver)

    monkeypatch.setattr(ShelfBackupDriver, "check_for_setup_error", check)
    ended = run("check", "--deep", "-f", "json")
    assert ended.code == 0
    assert len(checked) == 1
    assert ended.json[2]["Looked at"] == ["that the driver loads", "its own check", "small object"]


def test_datera_leaves_nothing_that_it_does_not_name_whichever_request_fails(
    start_dispatching: Start, run: Run, emulator: Emulator, datera_options: str
) -> None:
    start_dispatching(primary="datera", secondaries="posix", more=datera_options)
    left: set[str] = set()
    for number in range(1, 8):
        emulator.faults.answer(500, {"message": "broken"}, path="/app_instances.*", nth=number)
        ended = run("check", "--deep", "-f", "json")
        emulator.faults.clear()
        there = {one.name for one in emulator.cluster.app_instances.values()}
        datera = ended.json[1]
        assert ended.code == (1 if datera["State"] == "down" else 0)
        assert all(name in datera["Reason"] for name in there - left), ended.json
        left = there
    assert len(left) < 3
