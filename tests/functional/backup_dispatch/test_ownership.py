# SPDX-License-Identifier: Apache-2.0
"""Records of vanilla Cinder, imported records, and records whose owner nobody knows."""

from __future__ import annotations

import base64
import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.swift_service import SwiftService

pytestmark = pytest.mark.release

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
IMPORTED = f"{DISPATCHER}@imported"

Start = Callable[..., Any]


def recorded(backup: Any, service: str | None) -> Any:
    """The backup with another text in ``service`` and no property: as another cloud left it."""
    backup.service = service
    backup.metadata = {}
    backup.save()
    return backup


def in_use(folder: Path) -> None:
    """Let the folder be none that a share may belong over."""
    (folder / "lost+found").touch()


def filled_volume(cinder: Any) -> Any:
    volume = cinder.create_volume(1)
    cinder.write(volume, 2**20, b"kept" * 1000)
    return volume


@pytest.mark.parametrize("text", [POSIX, "cinder.backup.drivers.posix"])
def test_a_record_of_vanilla_cinder_restores_exports_and_deletes(
    start_dispatching: Start, tmp_path: Path, text: str
) -> None:
    cinder = start_dispatching(primary="tests.fixtures.backends.shelf_driver", secondaries="posix")
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "posix_old"), text)
    restored = cinder.restore_backup(backup)
    assert restored.status == "available", cinder.failures
    assert cinder.first_difference(restored, volume) is None
    assert cinder.export_backup(backup)["backup_service"] == text
    assert cinder.delete_backup(backup) is None
    assert not list((tmp_path / "posix").rglob("*_backup_*"))


def test_a_record_of_a_driver_that_is_not_enabled_is_not_ours(start_dispatching: Start) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    backup = recorded(
        cinder.create_backup(volume, "old"), "cinder.backup.drivers.swift.SwiftBackupDriver"
    )
    kept = cinder.delete_backup(backup)
    assert "not the backup service that was used" in kept.fail_reason


def test_the_owner_stands_in_the_record_before_the_backend_is_called(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    cinder = start_dispatching()
    seen: list[str] = []

    def crash(_driver: Any, backup: Any, *_args: Any, **_kwargs: Any) -> None:
        seen.append(cinder.backup(backup.id).service)
        raise MemoryError

    monkeypatch.setattr(ShelfBackupDriver, "backup", crash)
    cinder.create_backup(filled_volume(cinder), "shelf_driver_1")
    assert seen == [SHELF]


def test_an_imported_backup_finds_its_owner_at_the_first_touch(
    start_dispatching: Start, swift: SwiftService, shelf: Path
) -> None:
    cinder = start_dispatching(
        secondaries="tests.fixtures.backends.shelf_driver, swift", more=swift.cinder_options()
    )
    volume = filled_volume(cinder)
    for name, owner in (
        ("shelf_driver_1", SHELF),
        ("swift_1", "cinder.backup.drivers.swift.SwiftBackupDriver"),
        ("posix_1", POSIX),
    ):
        backup = cinder.create_backup(volume, name)
        record = cinder.export_backup(backup)
        assert record["backup_service"] == owner
        # Forget the record, and keep the data, as a cloud that was lost.
        backup.destroy()
        imported = cinder.import_backup(record)
        assert (imported.status, imported.service) == ("available", IMPORTED), cinder.failures
        restored = cinder.restore_backup(imported)
        assert restored.status == "available", cinder.failures
        assert cinder.first_difference(restored, volume) is None
        assert cinder.backup(backup.id).service == owner
        assert cinder.delete_backup(imported) is None


def test_without_a_hint_the_backends_are_asked(start_dispatching: Start) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), DISPATCHER)
    cinder.export_backup(backup)
    healed = cinder.backup(backup.id)
    assert (healed.service, healed.metadata) == (SHELF, {"backup_backend": "shelf_driver"})


def test_a_wrong_hint_is_not_believed(start_dispatching: Start) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), DISPATCHER)
    backup.metadata = {"backup_backend": "posix"}
    backup.save()
    cinder.export_backup(backup)
    assert cinder.backup(backup.id).service == SHELF


def test_nothing_is_deleted_while_the_owner_is_uncertain(
    start_dispatching: Start, shelf: Path, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    in_use(tmp_path / "posix")
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), DISPATCHER)
    away = shelf.rename(tmp_path / "away")
    kept = cinder.delete_backup(backup)
    assert kept.status == "error"
    assert f"Backup {backup.id}: its record names no backend, and shelf_driver did not say" in (
        kept.fail_reason
    )
    away.rename(shelf)
    assert cinder.delete_backup(backup) is None
    assert not list(shelf.rglob("*_backup_*"))


def test_a_record_without_data_anywhere_can_be_deleted_but_not_restored(
    start_dispatching: Start, shelf: Path, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    in_use(tmp_path / "posix")
    in_use(shelf)
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), DISPATCHER)
    for folder in shelf.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    failed = cinder.restore_backup(backup)
    assert failed.status == "error_restoring"
    assert any("none of posix, shelf_driver has its data" in str(one) for one in cinder.failures)
    assert cinder.delete_backup(backup) is None


def test_nothing_is_deleted_while_a_share_may_not_be_mounted(
    start_dispatching: Start, shelf: Path, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    in_use(shelf)
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "posix_1"), DISPATCHER)
    mounted = (tmp_path / "posix").rename(tmp_path / "away")
    (tmp_path / "posix").mkdir()
    kept = cinder.delete_backup(backup)
    assert kept.status == "error"
    assert (
        f"posix did not say whether the data is there (posix: its folder {tmp_path / 'posix'}"
        in (kept.fail_reason)
    )
    (tmp_path / "posix").rmdir()
    mounted.rename(tmp_path / "posix")
    assert cinder.delete_backup(backup) is None
    assert not list((tmp_path / "posix").rglob("*_backup_*"))


def test_data_in_two_places_is_not_guessed_between(
    start_dispatching: Start, shelf: Path, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), DISPATCHER)
    shutil.copytree(shelf, tmp_path / "posix", dirs_exist_ok=True)
    kept = cinder.delete_backup(backup)
    assert "several backends have data of it: posix, shelf_driver" in kept.fail_reason
    kept.metadata = {"backup_backend": "shelf_driver"}
    kept.save()
    assert cinder.delete_backup(kept) is None
    assert not list(shelf.rglob("*_backup_*"))
    assert list((tmp_path / "posix").rglob("*_backup_*"))


def test_a_backend_that_is_named_but_not_enabled_is_named_in_the_refusal(
    start_dispatching: Start,
) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    # Cinder's manager lets the class through; which of its backends is meant is ours to know.
    backup = recorded(cinder.create_backup(volume, "posix_1"), f"{POSIX}@gone")
    kept = cinder.delete_backup(backup)
    assert f"is held by {POSIX}@gone, which is no enabled backend" in kept.fail_reason


def under_another_id(record: Any) -> Any:
    """The exported record as people edit it who want it beside the original."""
    decoded = json.loads(base64.b64decode(record["backup_url"]))
    decoded["id"] = str(uuid.uuid4())
    return {**record, "backup_url": base64.b64encode(json.dumps(decoded).encode()).decode()}


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_two_records_of_one_backup_are_deleted_and_only_the_last_takes_the_data(
    start_dispatching: Start, shelf: Path, first_to_go: int
) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    original = cinder.create_backup(volume, "shelf_driver_1")
    both = [original, cinder.import_backup(under_another_id(cinder.export_backup(original)))]
    assert cinder.restore_backup(both[1]).status == "available", cinder.failures
    assert cinder.delete_backup(both[first_to_go]) is None
    left = both[1 - first_to_go]
    assert cinder.first_difference(cinder.restore_backup(left), volume) is None
    assert cinder.delete_backup(left) is None
    assert not list(shelf.rglob("*_backup_*"))


def test_a_record_of_a_backend_by_another_name_is_imported_and_restored(
    start_dispatching: Start,
) -> None:
    cinder = start_dispatching()
    volume = filled_volume(cinder)
    backup = recorded(cinder.create_backup(volume, "shelf_driver_1"), f"{SHELF}@west")
    record = {
        "backup_service": backup.service,
        "backup_url": backup.encode_record(driver_info={}),
    }
    backup.destroy()
    imported = cinder.import_backup(record)
    assert (imported.status, imported.service) == ("available", IMPORTED), cinder.failures
    assert cinder.first_difference(cinder.restore_backup(imported), volume) is None
    assert cinder.backup(backup.id).service == SHELF
