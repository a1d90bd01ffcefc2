# SPDX-License-Identifier: Apache-2.0
"""What docs/troubleshooting.md and docs/switching.md say of records that Cinder leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cinder import exception, objects
from oslo_config import cfg

pytestmark = pytest.mark.release

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
DOWN = "Delete backup is aborted due to backup service is down."
DISPATCHER = "backup_dispatch.driver.BackupDispatcher"


@pytest.fixture
def cinder(start_dispatching: Callable[..., Any]) -> Iterator[Any]:
    yield start_dispatching()
    cfg.CONF.clear_override("backup_driver")


def run_driver(cinder: Any, driver: str) -> None:
    """Start cinder-backup again with this ``backup_driver``."""
    cfg.CONF.set_override("backup_driver", driver)
    cinder.restart_backup_manager()


def reset(cinder: Any, backup: Any, status: str) -> Any:
    """What ``openstack volume backup set --state STATUS BACKUP`` does; the record afterwards."""
    cinder.backups.reset_status(cinder.context, backup.id, status)
    return cinder.backup(backup.id)


def test_deletion_that_vanilla_cinder_refused_is_made_by_the_dispatcher_again(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"data")
    kept, unwanted = (cinder.create_backup(volume, f"shelf_driver_{n}") for n in (1, 2))

    run_driver(cinder, POSIX)
    for backup in (kept, unwanted):
        refused = cinder.delete_backup(backup)
        assert refused.status == "error"
        assert f"currently configured [{POSIX}] is not" in refused.fail_reason
    assert reset(cinder, kept, "available").status == "error", "nothing happens"
    assert isinstance(cinder.failures[-1], exception.InvalidBackup)

    run_driver(cinder, DISPATCHER)
    reason = cinder.backup(kept.id).fail_reason
    mended = reset(cinder, kept, "available")
    assert (mended.status, mended.fail_reason) == ("available", reason), "the old reason stays"
    assert cinder.read(cinder.restore_backup(kept), 0, 4) == b"data"
    assert cinder.delete_backup(unwanted) is None, "without a reset"


def test_deletion_that_came_before_the_first_check_is_repeated_by_an_administrator(
    cinder: Any,
) -> None:
    volume = cinder.create_volume(1)
    backups = [cinder.create_backup(volume, f"posix_{n}") for n in (1, 2)]
    cinder.backup_manager.is_initialized = False
    for backup in backups:
        failed = cinder.delete_backup(backup)
        assert (failed.status, failed.fail_reason) == ("error_deleting", DOWN)
    cinder.backup_manager.is_initialized = True

    with pytest.raises(exception.InvalidBackup, match="must be available or error"):
        cinder.delete_backup(backups[0])
    assert cinder.delete_backup(backups[0], force=True) is None
    assert reset(cinder, backups[1], "error").status == "error"
    assert cinder.delete_backup(backups[1]) is None


def test_backup_that_no_service_has_begun_is_deleted_by_force(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    waiting = objects.Backup(
        cinder.context, user_id="u", project_id=cinder.context.project_id, volume_id=volume.id,
        status="creating", size=1, host=cinder.backup_manager.host, display_name="posix_1",
    )  # fmt: skip
    waiting.create()
    assert reset(cinder, waiting, "error").status == "creating", "it has no owner yet"
    assert cinder.delete_backup(waiting, force=True) is None
