# SPDX-License-Identifier: Apache-2.0
"""A deletion while the backend does not answer: the record stays as long as its objects do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fixtures.backends.swift_service import SwiftService
from tests.fixtures.faults.gate import Gate

Start = Callable[..., Any]
MIB = 2**20


def made(cinder: Any, name: str) -> Any:
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"data" * 1000)
    backup = cinder.create_backup(volume, name)
    assert backup.status == "available", backup.fail_reason
    return backup


def test_a_folder_that_cannot_be_listed_keeps_the_record_of_its_files(
    start_dispatching: Start, shelf: Path
) -> None:
    cinder = start_dispatching()
    backup = made(cinder, "shelf_driver_1")
    away = shelf.rename(shelf.with_name("away"))
    shelf.touch()
    left = cinder.delete_backup(backup)
    assert left is not None
    assert left.status == "error"
    assert "shelf_driver failed" in left.fail_reason
    shelf.unlink()
    away.rename(shelf)
    assert cinder.delete_backup(left) is None
    assert not list(shelf.rglob("*_backup_*"))


def test_a_swift_that_does_not_answer_keeps_the_record_of_its_objects(
    start_dispatching: Start, swift: SwiftService
) -> None:
    with Gate(swift.port) as gate:
        options = swift.cinder_options().replace(f":{swift.port}/", f":{gate.port}/")
        more = f"{options}\nbackup_swift_container = outages\nbackup_swift_retry_backoff = 0"
        cinder = start_dispatching(secondaries="swift", more=more)
        backup = made(cinder, "swift_1")
        stored = [name for name in swift.objects() if backup.id in name]
        assert stored
        gate.close()
        left = cinder.delete_backup(backup)
        assert left is not None
        assert left.status == "error"
        gate.open()
        assert cinder.delete_backup(left) is None
    assert not [name for name in swift.objects() if backup.id in name]


def test_a_folder_that_is_gone_is_no_reason_to_keep_a_record(
    start_dispatching: Start, shelf: Path
) -> None:
    cinder = start_dispatching()
    backup, other = made(cinder, "shelf_driver_1"), made(cinder, "shelf_driver_2")
    for file in (shelf / backup.container).iterdir():
        file.unlink()
    (shelf / backup.container).rmdir()
    assert cinder.delete_backup(backup) is None
    assert cinder.delete_backup(other) is None
