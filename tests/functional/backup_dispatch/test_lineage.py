# SPDX-License-Identifier: Apache-2.0
"""Chains of incrementals on several backends, one volume."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.release

MIB = 2**20

Start = Callable[..., Any]


@pytest.fixture
def cinder(start_dispatching: Start, shelf: Path) -> Any:
    return start_dispatching()


def dependents(cinder: Any, *backups: Any) -> list[int]:
    return [cinder.backup(one.id).num_dependent_backups for one in backups]


def test_chains_on_two_backends_interleave(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    contents: dict[str, bytes] = {}
    parents: dict[str, Any] = {}
    names = ["posix_1", "shelf_driver_1", "posix_2", "shelf_driver_2", "posix_3", "shelf_driver_3"]
    backups: dict[str, Any] = {}
    for number, name in enumerate(names):
        cinder.write(volume, number * MIB, bytes([number + 1]) * MIB)
        cinder.write(volume, 10 * MIB, bytes([number + 1]) * MIB)
        backup = cinder.create_backup(volume, name, incremental=number > 1)
        assert backup.status == "available", backup.fail_reason
        backups[name] = backup
        parents[name] = backup.parent_id
        contents[name] = cinder.read(volume, 0, 16 * MIB)
    assert parents == {
        "posix_1": None,
        "shelf_driver_1": None,
        "posix_2": backups["posix_1"].id,
        "shelf_driver_2": backups["shelf_driver_1"].id,
        "posix_3": backups["posix_2"].id,
        "shelf_driver_3": backups["shelf_driver_2"].id,
    }
    assert dependents(cinder, *(backups[name] for name in names)) == [1, 1, 1, 1, 0, 0]
    for name in ("posix_3", "shelf_driver_3", "posix_2"):
        restored = cinder.restore_backup(backups[name])
        assert restored.status == "available", cinder.failures
        assert cinder.read(restored, 0, 16 * MIB) == contents[name], name
    for name in reversed(names):
        assert cinder.delete_backup(backups[name]) is None, cinder.failures


def test_an_incremental_without_a_parent_on_its_backend_is_refused_and_leaves_no_trace(
    cinder: Any,
) -> None:
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_full")
    child = cinder.create_backup(volume, "posix_child", incremental=True)
    refused = cinder.create_backup(volume, "shelf_driver_1", incremental=True)
    assert (refused.status, refused.parent_id) == ("error", None)
    assert refused.fail_reason == (
        f"Backend shelf_driver has no available backup of volume {volume.id} that an incremental "
        "could build on. Make a full backup there first."
    )
    assert dependents(cinder, full, child) == [1, 0]
    assert cinder.delete_backup(refused) is None
    assert dependents(cinder, full, child) == [1, 0]


def test_the_backend_sees_the_new_parent_in_the_object_too(
    cinder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    volume = cinder.create_volume(1)
    on_shelf = cinder.create_backup(volume, "shelf_driver_1")
    newer = cinder.create_backup(volume, "shelf_driver_failed")
    newer.status, newer.data_timestamp = "error", newer.data_timestamp.replace(year=2090)
    newer.save()
    cinder.create_backup(volume, "posix_1")
    seen: list[tuple[str, str]] = []

    def note(_driver: Any, backup: Any, _file: Any) -> None:
        seen.append((backup.parent_id, backup.parent.id))

    monkeypatch.setattr(ShelfBackupDriver, "backup", note)
    cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    assert seen == [(on_shelf.id, on_shelf.id)]


def test_a_refused_backup_is_no_parent_and_the_api_says_so(cinder: Any) -> None:
    from cinder import exception

    volume = cinder.create_volume(1)
    assert cinder.create_backup(volume, "swift_1").status == "error"
    with pytest.raises(exception.InvalidBackup, match="No backups available to do an incremental"):
        cinder.create_backup(volume, "posix_1", incremental=True)


def test_an_incremental_that_asks_for_no_backend_follows_the_primary_if_it_can(
    cinder: Any,
) -> None:
    volume = cinder.create_volume(1)
    on_primary = cinder.create_backup(volume, "posix_full")
    cinder.create_backup(volume, "shelf_driver_full")
    incremental = cinder.create_backup(volume, "tuesday", incremental=True)
    assert incremental.parent_id == on_primary.id
    assert incremental.metadata["backup_backend"] == "posix"


def test_an_incremental_that_asks_for_no_backend_else_follows_its_parent(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "shelf_driver_full")
    incremental = cinder.create_backup(volume, "tuesday", incremental=True)
    assert (incremental.status, incremental.parent_id) == ("available", full.id)
    assert incremental.metadata["backup_backend"] == "shelf_driver"


def test_a_snapshot_builds_on_what_is_older_than_itself(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    before = cinder.create_backup(volume, "shelf_driver_before")
    # Cinder's times have whole seconds; put them in order by hand.
    before.data_timestamp = before.data_timestamp.replace(year=2020)
    before.save()
    snapshot = cinder.create_snapshot(volume)
    after = cinder.create_backup(volume, "shelf_driver_after")
    after.data_timestamp = after.data_timestamp.replace(year=2090)
    after.save()
    newest = cinder.create_backup(volume, "posix_old")
    newest.data_timestamp = newest.data_timestamp.replace(year=2021)
    newest.save()
    incremental = cinder.create_backup(
        volume, "shelf_driver_snap", incremental=True, snapshot=snapshot
    )
    assert incremental.status == "available", incremental.fail_reason
    assert incremental.parent_id == before.id


@pytest.fixture
def elsewhere(cinder: Any) -> Any:
    """A backup made on another host, with a newer one of another backend."""
    volume = cinder.create_volume(1)
    made = cinder.create_backup(volume, "posix_1")
    made.host = "another"
    made.save()
    cinder.create_backup(volume, "shelf_driver_1")
    return made


def test_an_incremental_builds_on_what_another_host_put_into_a_shared_folder(
    cinder: Any, elsewhere: Any
) -> None:
    volume = cinder.volume(elsewhere.volume_id)
    cinder.write(volume, 0, b"changed")
    incremental = cinder.create_backup(volume, "posix_2", incremental=True)
    assert (incremental.status, incremental.parent_id) == ("available", elsewhere.id)
    assert cinder.first_difference(cinder.restore_backup(incremental), volume) is None


def test_an_incremental_on_a_folder_of_another_host_is_told_where_it_would_work(
    cinder: Any, elsewhere: Any, tmp_path: Path
) -> None:
    # Another host's folder of the same name, which this one cannot see.
    (tmp_path / "posix").rename(tmp_path / "of another host")
    (tmp_path / "posix").mkdir()
    volume = cinder.volume(elsewhere.volume_id)
    refused = cinder.create_backup(volume, "posix_2", incremental=True)
    assert refused.status == "error"
    assert refused.fail_reason == (
        f"Backend posix: backup {elsewhere.id}, the newest to build on, was made on host another, "
        "and host testhost cannot read it. It would work on another; here make a full backup, or "
        "let both hosts share the folder."
    )


def test_an_incremental_builds_on_the_newest_backup_that_its_host_can_read(
    cinder: Any, elsewhere: Any, tmp_path: Path
) -> None:
    (tmp_path / "posix").rename(tmp_path / "of another host")
    (tmp_path / "posix").mkdir()
    volume = cinder.volume(elsewhere.volume_id)
    here = cinder.create_backup(volume, "posix_here")
    here.data_timestamp = here.data_timestamp.replace(year=2020)
    here.save()
    incremental = cinder.create_backup(volume, "posix_2", incremental=True)
    assert (incremental.status, incremental.parent_id) == ("available", here.id)


def test_a_parent_that_goes_away_meanwhile_is_not_built_on(
    cinder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder import objects

    volume = cinder.create_volume(1)
    on_shelf = cinder.create_backup(volume, "shelf_driver_1")
    cinder.create_backup(volume, "posix_1")
    save = objects.Backup.save

    def save_while_another_deletes(backup: Any) -> None:
        chosen = backup.obj_what_changed() >= {"parent_id"} and backup.parent_id == on_shelf.id
        save(backup)
        if chosen:
            parent = cinder.backup(on_shelf.id)
            parent.status = "deleting"
            save(parent)

    monkeypatch.setattr(objects.Backup, "save", save_while_another_deletes)
    refused = cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    assert (refused.status, refused.parent_id) == ("error", None)
    assert f"Backup {on_shelf.id}, the newest one to build on, is deleting now" in (
        refused.fail_reason
    )


def test_a_parent_is_not_deleted_under_a_child_that_the_api_did_not_see(cinder: Any) -> None:
    volume = cinder.create_volume(1)
    parent = cinder.create_backup(volume, "shelf_driver_1")
    child = cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    # As if the child had been given its parent after the API looked for children.
    parent.status = "deleting"
    parent.save()
    with pytest.raises(Exception, match=f"is the parent of backup {child.id}"):
        cinder.backup_manager.delete_backup(cinder.context, cinder.backup(parent.id))
    assert cinder.restore_backup(child).status == "available"
