# SPDX-License-Identifier: Apache-2.0
"""Backups that failed before any backend was called for them: nothing of them is anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DISPATCHER = "backup_dispatch.driver.BackupDispatcher"
IMPORTED = f"{DISPATCHER}@imported"
QUIET = "tests.fixtures.backends.quiet_driver"
SHELF = "tests.fixtures.backends.shelf_driver"

Start = Callable[..., Any]


@pytest.fixture
def cinder(start_dispatching: Start, shelf: Path) -> Any:
    """With a backend that is down, and one that cannot be asked."""
    shutil.rmtree(shelf)
    return start_dispatching(secondaries=f"{SHELF}, {QUIET}")


@pytest.fixture
def fail(cinder: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a backup whose volume cannot be attached."""

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("no iSCSI session")

    def fail(volume: Any, name: str = "posix_1", **options: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(type(cinder.backup_manager), "_attach_device", refuse)
            failed = cinder.create_backup(volume, name, **options)
        assert (failed.status, failed.service) == ("error", DISPATCHER)
        return failed

    return fail


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("container", [None, "wished_for"])
def test_a_backup_whose_volume_was_not_attached_is_deleted_at_once(
    cinder: Any, fail: Any, force: bool, container: str | None
) -> None:
    failed = fail(cinder.create_volume(1), container=container)
    assert cinder.delete_backup(failed, force=force) is None, cinder.failures


def test_a_failed_incremental_takes_nothing_from_its_parents_count(cinder: Any, fail: Any) -> None:
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_full")
    child = cinder.create_backup(volume, "posix_child", incremental=True)
    assert cinder.delete_backup(child) is None
    cinder.create_backup(volume, "posix_child", incremental=True)
    failed = fail(volume, incremental=True)
    sibling = cinder.backup(full.id)
    assert sibling.num_dependent_backups == 1
    failed.parent_id = full.id
    failed.save()
    assert cinder.delete_backup(failed) is None
    assert cinder.backup(full.id).num_dependent_backups == 1


def test_a_parent_is_deleted_beside_a_failed_incremental_that_the_api_does_not_see(
    cinder: Any, fail: Any
) -> None:
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_full")
    failed = fail(volume, incremental=True)
    assert failed.parent_id == full.id
    failed.project_id = "a" * 32
    failed.save()
    assert cinder.delete_backup(full) is None, cinder.failures
    assert (cinder.backup(failed.id).parent_id, cinder.backup(failed.id).service) == (None, "")


def test_a_parent_stays_beside_an_incremental_whose_backend_is_not_chosen_yet(
    cinder: Any, fail: Any
) -> None:
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_full")
    beginning = fail(volume, incremental=True)
    beginning.status, beginning.project_id = "creating", "a" * 32
    beginning.save()
    assert f"is the parent of backup {beginning.id}" in cinder.delete_backup(full).fail_reason


def test_a_restart_before_the_choice_leaves_a_backup_that_is_deleted_at_once(
    cinder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = type(cinder.backup_manager)
    with monkeypatch.context() as patch:
        patch.setattr(manager, "continue_backup", lambda *_args, **_kwargs: None)
        begun = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert (begun.status, begun.service) == ("creating", DISPATCHER)
    cinder.restart_backup_manager()
    failed = cinder.backup(begun.id)
    assert failed.fail_reason == "incomplete backup reset on manager restart"
    assert cinder.delete_backup(failed) is None, cinder.failures


def test_a_backup_that_stays_creating_for_ever_is_deleted_by_force(
    cinder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = type(cinder.backup_manager)
    with monkeypatch.context() as patch:
        patch.setattr(manager, "continue_backup", lambda *_args, **_kwargs: None)
        begun = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert cinder.delete_backup(begun, force=True) is None, cinder.failures


def test_a_backup_deleted_before_its_first_byte_is_not_written(
    cinder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder.backup.drivers.posix import PosixBackupDriver

    attach = type(cinder.backup_manager)._attach_device
    deleted: list[Any] = []

    def delete_meanwhile(manager: Any, *rest: Any, **options: Any) -> Any:
        (begun,) = cinder.backups.get_all(cinder.context)
        # Its deletion has begun, and comes to the service only afterwards.
        begun.status = "deleting"
        begun.save()
        deleted.append(begun)
        return attach(manager, *rest, **options)

    written: list[Any] = []
    monkeypatch.setattr(PosixBackupDriver, "backup", lambda *args: written.append(args))
    monkeypatch.setattr(type(cinder.backup_manager), "_attach_device", delete_meanwhile)
    going = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert [one.id for one in deleted] == [going.id]
    assert not written
    assert going.status == "deleting"


def test_a_failed_backup_that_was_reset_is_neither_restored_nor_built_on(
    cinder: Any, fail: Any
) -> None:
    volume = cinder.create_volume(1)
    failed = fail(volume)
    cinder.backups.reset_status(cinder.context, failed.id, "available")
    assert cinder.backup(failed.id).status == "available"
    assert cinder.restore_backup(failed, volume).status == "error_restoring"
    assert "failed before any backend was called for it" in str(cinder.failures[-1])
    cinder.volume_manager.db.volume_update(cinder.context, volume.id, {"status": "available"})
    refused = cinder.create_backup(volume, "posix_2", incremental=True)
    assert "has no available backup of volume" in refused.fail_reason
    assert cinder.delete_backup(failed) is None


def test_an_import_says_so_until_its_backend_is_found(cinder: Any) -> None:
    backup = cinder.create_backup(cinder.create_volume(1), "quiet_driver_1")
    assert backup.container is None
    record = cinder.export_backup(backup)
    backup.destroy()
    imported = cinder.import_backup(record)
    assert (imported.status, imported.service) == ("available", IMPORTED)
    # Nothing in it tells it from one that failed, but for that; and nobody can say whose it is.
    kept = cinder.delete_backup(imported)
    assert (kept.status, kept.service) == ("error", IMPORTED)
    assert "quiet_driver did not say whether the data is there" in kept.fail_reason


@pytest.mark.parametrize("fail_reason", [None, "an earlier deletion failed"])
def test_an_older_import_that_names_its_container_is_not_taken_for_a_failure(
    cinder: Any, fail_reason: str | None
) -> None:
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "posix_1")
    backup.service, backup.fail_reason, backup.metadata = DISPATCHER, fail_reason, {}
    if not fail_reason:
        # Of a driver that leaves nothing else.
        backup.service_metadata, backup.object_count = None, 0
    backup.save()
    kept = cinder.delete_backup(backup)
    assert "did not say whether the data is there" in kept.fail_reason


def test_an_older_import_is_found_where_a_backend_says_that_it_has_it(
    start_dispatching: Start, shelf: Path
) -> None:
    from tests.fixtures.backends.recording_driver import RecordingBackupDriver

    cinder = start_dispatching(secondaries="tests.fixtures.backends.recording_driver")
    backup = cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    backup.service, backup.container, backup.metadata = DISPATCHER, None, {}
    backup.fail_reason = "an earlier deletion failed"
    backup.save()
    RecordingBackupDriver.calls.clear()
    RecordingBackupDriver.answers.update(holds=True)
    try:
        assert cinder.delete_backup(backup) is None
        assert RecordingBackupDriver.calls[-1][0] == "delete_backup"
    finally:
        RecordingBackupDriver.calls.clear()
        RecordingBackupDriver.answers.clear()


@pytest.mark.parametrize("broken", ["volume type", "database", "driver"])
def test_whatever_goes_wrong_in_choosing_leaves_a_record_of_nothing(
    cinder: Any, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch import lineage, routing

    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_full")

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise KeyError(broken)

    place = {
        "volume type": (routing, "request_of"),
        "database": (lineage, "is_in_reach"),
        "driver": (routing, "choose"),
    }[broken]
    with monkeypatch.context() as patch:
        patch.setattr(*place, refuse)
        failed = cinder.create_backup(volume, "posix_1", incremental=True)
    assert (failed.status, failed.service, failed.parent_id) == ("error", "", None)
    assert failed.fail_reason == (
        f"No backend could be chosen for backup {failed.id}: KeyError: '{broken}'"
    )
    assert cinder.delete_backup(failed) is None
    assert cinder.backup(full.id).num_dependent_backups == 0
