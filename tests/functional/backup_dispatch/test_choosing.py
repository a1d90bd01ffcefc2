# SPDX-License-Identifier: Apache-2.0
"""Where backups land, in a real Cinder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oslo_db.exception import DBConnectionError

from tests.fixtures.backends.swift_service import SwiftService

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"

Start = Callable[..., Any]


def files_of(folder: Path, backup: Any) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and backup.id in file.name]


def test_each_name_goes_to_its_backend_and_comes_back(
    start_dispatching: Start, swift: SwiftService, shelf: Path, tmp_path: Path
) -> None:
    cinder = start_dispatching(
        secondaries="tests.fixtures.backends.shelf_driver, swift", more=swift.cinder_options()
    )
    volume = cinder.create_volume(1)
    cinder.write(volume, 2**20, b"kept" * 1000)
    backups = {
        name: cinder.create_backup(volume, name)
        for name in ("shelf_driver_monday", "SWIFT_monday", "posix", "monday")
    }
    assert {name: backup.service for name, backup in backups.items()} == {
        "shelf_driver_monday": SHELF,
        "SWIFT_monday": SWIFT,
        "posix": POSIX,
        "monday": POSIX,
    }, cinder.failures
    assert {name: backup.metadata["backup_backend"] for name, backup in backups.items()} == {
        "shelf_driver_monday": "shelf_driver",
        "SWIFT_monday": "swift",
        "posix": "posix",
        "monday": "posix",
    }
    assert files_of(shelf, backups["shelf_driver_monday"])
    assert any(backups["SWIFT_monday"].id in name for name in swift.objects())
    assert files_of(tmp_path / "posix", backups["monday"])

    for backup in backups.values():
        restored = cinder.restore_backup(backup)
        assert restored.status == "available", cinder.failures
        assert cinder.first_difference(restored, volume) is None
    for backup in backups.values():
        assert cinder.delete_backup(backup) is None
    assert not [file for file in tmp_path.rglob("*_backup_*") if file.is_file()]
    ids = [backup.id for backup in backups.values()]
    assert not [name for name in swift.objects() if any(one in name for one in ids)]


def test_a_property_or_a_volume_type_chooses_and_the_log_says_why_once(
    start_dispatching: Start, caplog: pytest.LogCaptureFixture
) -> None:
    cinder = start_dispatching()
    kept_on_shelf = cinder.create_volume_type("shelved", {"backup:backend": "shelf_driver"})
    by_type = cinder.create_backup(cinder.create_volume(1, volume_type=kept_on_shelf), "monday")
    plain = cinder.create_volume(1)
    with caplog.at_level(logging.INFO, logger="backup_dispatch"):
        by_property = cinder.create_backup(
            plain, "monday", properties={"backup_backend": "Shelf_Driver"}
        )
    assert (by_type.service, by_property.service) == (SHELF, SHELF), cinder.failures
    chosen = [
        line
        for logger, _, line in caplog.record_tuples
        if logger.startswith("backup_dispatch") and by_property.id in line
    ]
    assert chosen == [
        f"Backup {by_property.id} goes to backend shelf_driver: "
        "the property backup_backend names shelf_driver."
    ]


def test_a_backup_for_a_backend_that_is_not_enabled_is_refused_and_can_be_deleted(
    start_dispatching: Start,
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    refused = cinder.create_backup(volume, "swift_monday")
    assert refused.status == "error"
    assert refused.fail_reason == (
        "The backup's name begins with swift, a backend that is not enabled here; enabled are "
        "posix, shelf_driver. Name the backup otherwise, or enable it."
    )
    conflicting = cinder.create_backup(
        volume, "posix_1", properties={"backup_backend": "shelf_driver"}
    )
    assert "asks for backend posix" in conflicting.fail_reason
    unknown = cinder.create_backup(volume, "x", properties={"backup_backend": "tape"})
    assert "names 'tape'" in unknown.fail_reason
    assert cinder.volume(volume.id).status == "available"
    for backup in (refused, conflicting, unknown):
        assert cinder.delete_backup(backup) is None


def test_nothing_goes_to_the_primary_unasked_where_the_operator_wants_it_so(
    start_dispatching: Start,
) -> None:
    cinder = start_dispatching(more="backup_dispatch_unmatched = refuse")
    volume = cinder.create_volume(1)
    assert cinder.create_backup(volume, "posix_monday").status == "available"
    refused = cinder.create_backup(volume, "monday")
    assert refused.status == "error"
    assert "begin its name with one of posix, shelf_driver" in refused.fail_reason


def test_what_a_backend_raises_names_the_backend_in_one_line(
    start_dispatching: Start, shelf: Path
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    good = cinder.create_backup(volume, "shelf_driver_1")
    assert good.status == "available"
    for file in files_of(shelf, good):
        file.unlink()
    failed = cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    assert failed.status == "error"
    assert failed.fail_reason.startswith(
        "Backup backend shelf_driver failed: FileNotFoundError: [Errno 2]"
    )
    assert len(failed.fail_reason) <= 255
    assert "\n" not in failed.fail_reason


def test_backend_that_only_records_know_keeps_its_name(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch import backup_rows

    asked = []
    services = backup_rows.services

    def counted(context: Any) -> list[str]:
        asked.append(context)
        return services(context)

    monkeypatch.setattr(backup_rows, "services", counted)
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for name, service in (("posix_1", "cinder.backup.drivers.tape"), ("posix_2", f"{SHELF}@east")):
        old = cinder.create_backup(volume, name)
        old.service = service
        old.save()
    assert not asked, "the names say enough"
    for name in ("tape_nightly", "EAST_nightly"):
        refused = cinder.create_backup(volume, name)
        assert refused.status == "error"
        assert "a backend that is not enabled here" in refused.fail_reason
        assert cinder.delete_backup(refused) is None, cinder.failures
    assert cinder.create_backup(volume, "taped_nightly").status == "available"
    assert cinder.create_backup(volume, "").status == "available"
    assert len(asked) == 1


def test_database_that_does_not_say_who_has_records_refuses_the_backup(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch import backup_rows

    def away(_context: Any) -> list[str]:
        raise DBConnectionError("no route")

    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    with monkeypatch.context() as patch:
        patch.setattr(backup_rows, "services", away)
        refused = cinder.create_backup(volume, "tape_nightly")
    assert refused.status == "error"
    assert refused.fail_reason.startswith("Which backends have records cannot be read from the da")
    assert cinder.create_backup(volume, "tape_nightly").status == "available", "asked anew"
