# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch adopt``: the owner is set only where the data can be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import shelf_driver

Start = Callable[..., Any]
Run = Callable[..., Any]

SHELF = "tests.fixtures.shelf_driver.ShelfBackupDriver"
GONE = "somewhere.else.Driver"


@pytest.fixture
def lost(start_dispatching: Start) -> tuple[Any, Any]:
    """A Cinder, and a backup on the shelf whose record says something else."""
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"kept" * 1000)
    backup = cinder.create_backup(volume, "shelf_driver_1")
    backup.service = GONE
    backup.metadata = {"mine": "too"}
    backup.save()
    return cinder, backup


def test_the_owner_is_written_down_and_the_backup_restores(lost: Any, run: Run) -> None:
    cinder, backup = lost
    ended = run("adopt", backup.id, "Shelf_Driver")
    assert ended.code == 0, ended.err
    assert ended.out == (
        f"Backup {backup.id} is held by backend shelf_driver; its record said {GONE}.\n"
    )
    after = cinder.backup(backup.id)
    assert after.service == SHELF
    assert after.metadata == {"mine": "too", "backup_backend": "shelf_driver"}
    assert cinder.restore_backup(after).status == "available", cinder.failures


def test_a_backend_without_the_data_is_refused_even_by_force(lost: Any, run: Run) -> None:
    cinder, backup = lost
    ended = run("adopt", backup.id, "posix", "--force")
    assert ended.code == 1
    assert ended.err == (
        f"backup-dispatch: Backend posix says that it has nothing of backup {backup.id}.\n"
    )
    assert cinder.backup(backup.id).service == GONE


def test_a_backend_that_cannot_tell_needs_force(
    lost: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cinder, backup = lost
    monkeypatch.setattr(
        shelf_driver.ShelfBackupDriver, "holds", lambda _self, _backup: None, raising=False
    )
    ended = run("adopt", backup.id, "shelf_driver")
    assert ended.code == 1
    assert "--force" in ended.err
    assert cinder.backup(backup.id).service == GONE
    assert run("adopt", backup.id, "shelf_driver", "--force").code == 0
    assert cinder.backup(backup.id).service == SHELF


def test_a_backend_that_is_down_or_unknown(lost: Any, run: Run, shelf: Path) -> None:
    cinder, backup = lost
    shutil.rmtree(shelf)
    ended = run("adopt", backup.id, "shelf_driver", "--force")
    assert ended.code == 3
    assert "Backup backend shelf_driver is down: " in ended.err
    assert run("adopt", backup.id, "none").err == (
        "backup-dispatch: There is no backend none; enabled are posix, shelf_driver.\n"
    )
    assert cinder.backup(backup.id).service == GONE


@pytest.mark.parametrize("status", ["creating", "restoring", "deleting"])
def test_a_backup_that_is_being_worked_on_is_left_alone(lost: Any, run: Run, status: str) -> None:
    cinder, backup = lost
    backup.status = status
    backup.save()
    assert run("adopt", backup.id, "shelf_driver").code == 1
    assert cinder.backup(backup.id).service == GONE
