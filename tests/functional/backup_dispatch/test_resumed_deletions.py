# SPDX-License-Identifier: Apache-2.0
"""Deletions that a crash interrupted: Cinder resumes them at its start."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.cinder.cloud_process import perform

pytestmark = [pytest.mark.release, pytest.mark.long]

DISPATCHING = """\
backup_driver = backup_dispatch.driver.BackupDispatcher
backup_dispatch_primary = posix
backup_datera_secondary_backup_drivers = tests.fixtures.backends.shelf_driver
"""
NAMES = ["posix_1", "shelf_driver_1", "shelf_driver_2"]


def test_a_starting_service_deletes_what_it_was_deleting_where_it_is(
    tmp_path: Path, run_directory: Path
) -> None:
    cloud = tmp_path / "cloud"
    shelf = cloud / "shelf"
    shelf.mkdir(parents=True)
    act = partial(perform, directory=cloud, template_folder=run_directory, defaults=DISPATCHING)
    left = act("tests.fixtures.crash:die_while_deleting", NAMES)
    # One backend is down: its own deletions fail with the reason, others' do not.
    away = shelf.rename(tmp_path / "away")
    ends = act("tests.fixtures.crash:start_again", left, patched=True)
    assert ends["posix_1"] is None
    for name in NAMES[1:]:
        status, reason = ends[name]
        assert status == "error"
        assert reason.startswith("Backup backend shelf_driver is down: ")
    assert not list((cloud / "posix").rglob("*_backup_*"))
    assert len(list(away.rglob("*_backup_*_metadata"))) == 2


def test_a_deletion_that_the_service_resumes_reaches_the_owner(
    start_dispatching: Callable[..., Any], shelf: Path
) -> None:
    from cinder import exception

    cinder = start_dispatching()
    backup = cinder.create_backup(cinder.create_volume(1), "shelf_driver_1")
    assert list(shelf.rglob("*_backup_*"))
    backup.status = "deleting"
    backup.save()
    cinder.restart_backup_manager()
    with pytest.raises(exception.BackupNotFound):
        cinder.backup(backup.id)
    assert not list(shelf.rglob("*_backup_*"))
