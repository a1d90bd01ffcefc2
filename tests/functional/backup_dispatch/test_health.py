# SPDX-License-Identifier: Apache-2.0
"""A backend that is down, in a real Cinder."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.errors import ConfigurationInvalid
from backup_dispatch.process import this_process

pytestmark = pytest.mark.release

Start = Callable[..., Any]


def test_work_for_a_backend_that_is_down_is_refused_with_the_reason_and_others_go_on(
    start_dispatching: Start, shelf: Path
) -> None:
    shelf.rmdir()
    cinder = start_dispatching(more="backup_driver_init_check_interval = 5")
    assert cinder.backup_manager.is_working()
    volume = cinder.create_volume(1)
    refused = cinder.create_backup(volume, "shelf_driver_1")
    assert refused.status == "error"
    assert refused.fail_reason == (
        f"Backup backend shelf_driver is down: {shelf} is not there. Put the shelf up."
    )
    assert cinder.create_backup(volume, "posix_1").status == "available"
    # Nothing was written anywhere: a backend that is down keeps nobody from tidying up.
    assert cinder.delete_backup(refused) is None


def test_the_primary_may_be_down_as_well(start_dispatching: Start, shelf: Path) -> None:
    shelf.rmdir()
    cinder = start_dispatching(primary="tests.fixtures.backends.shelf_driver", secondaries="posix")
    volume = cinder.create_volume(1)
    refused = cinder.create_backup(volume, "monday")
    assert "shelf_driver is down" in refused.fail_reason
    assert cinder.create_backup(volume, "posix_1").status == "available"


def test_a_backend_that_hangs_at_start_delays_nobody(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    answer = threading.Event()
    monkeypatch.setattr(
        ShelfBackupDriver, "check_for_setup_error", lambda _driver: answer.wait(60) and None
    )
    try:
        cinder = start_dispatching(more="backup_dispatch_check_timeout = 1")
        assert cinder.backup_manager.is_working()
        volume = cinder.create_volume(1)
        assert cinder.create_backup(volume, "posix_1").status == "available"
        refused = cinder.create_backup(volume, "shelf_driver_1")
        assert "it has not answered its check for 1 seconds" in refused.fail_reason
    finally:
        answer.set()
    # It is up as soon as it answers; its thread may need a moment to say so.
    for _ in range(100):
        if cinder.create_backup(volume, "shelf_driver_1").status == "available":
            break
    else:
        pytest.fail("the backend never came up")


def test_a_configuration_that_cannot_be_meant_stops_the_service(
    start_dispatching: Start, caplog: pytest.LogCaptureFixture
) -> None:
    from backup_dispatch.driver import BackupDispatcher

    cinder = start_dispatching(secondaries="cinder.backup.drivers.sswift")
    assert not cinder.backup_manager.is_working()
    assert (
        "The backup service cannot work: backup_datera_secondary_backup_drivers has "
        "'cinder.backup.drivers.sswift': there is no such module and no such class; known names "
        "are ceph, datera, gcs, glusterfs, nfs, posix, s3, swift." in caplog.messages
    )
    with pytest.raises(ConfigurationInvalid):
        BackupDispatcher(cinder.context).check_for_setup_error()
    refused = cinder.create_backup(cinder.create_volume(1), "monday")
    assert refused.status == "error"


def test_after_a_fork_the_checks_begin_anew(
    start_dispatching: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_dispatching()
    parent = this_process()
    assert this_process() is parent
    monkeypatch.setattr("os.getpid", lambda: -1)
    child = this_process()
    assert child is not parent
    monkeypatch.undo()
    assert this_process() is not child
