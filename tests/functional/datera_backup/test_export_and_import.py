# SPDX-License-Identifier: Apache-2.0
"""Records travel: they are exported, imported into this cloud or another, and asked about."""

from __future__ import annotations

import base64
import json
import random
import uuid
from typing import Any

import pytest

pytestmark = pytest.mark.release

MIB = 2**20


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(2 * MIB))
    return made


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def forget(cloud: Any, *backups: Any) -> None:
    """Lose the records, as a cloud does that burnt down; purged, so that they can come back."""
    import sqlite3

    with sqlite3.connect(cloud.database) as connection:
        for backup in backups:
            connection.execute("delete from backup_metadata where backup_id = ?", (backup.id,))
            connection.execute("delete from backups where id = ?", (backup.id,))


def test_an_exported_record_holds_what_it_takes_and_no_secret(
    cloud: Any, volume: Any, array: Any
) -> None:
    backup = cloud.create_backup(volume)
    record = cloud.export_backup(backup)
    decoded = json.loads(base64.b64decode(record["backup_url"]))
    assert decoded["container"] == backup.container
    assert decoded["service_metadata"] == f"datera-container:/root:{backup.id}"
    assert decoded["driver_info"] == {
        "driver": "datera",
        "format": 1,
        "tenant": "/root",
        "container": backup.container,
        "backup": backup.id,
    }
    assert array.emulator.password not in json.dumps(decoded["driver_info"])


def test_a_lost_chain_is_imported_and_restored(cloud: Any, content: Any, volume: Any) -> None:
    full = cloud.create_backup(volume)
    cloud.write(volume, MIB, random.Random(2).randbytes(2 * MIB))
    second = cloud.create_backup(volume, incremental=True)
    records = [cloud.export_backup(full), cloud.export_backup(second)]
    forget(cloud, full, second)
    for record in records:
        assert cloud.import_backup(record).status == "available"
    assert content(cloud.restore_backup(cloud.backup(second.id))) == content(volume)
    third = cloud.create_backup(volume, incremental=True)
    assert third.container == full.container


def test_an_incremental_is_restored_in_a_cloud_that_knows_nothing_of_its_parent(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    full = cloud.create_backup(volume)
    cloud.write(volume, MIB, random.Random(2).randbytes(2 * MIB))
    second = cloud.create_backup(volume, incremental=True)
    record = cloud.export_backup(second)
    forget(cloud, full, second)
    cloud.context.project_id = "a" * 32
    imported = cloud.import_backup(record)
    assert (imported.project_id, imported.status) == ("a" * 32, "available")
    assert content(cloud.restore_backup(imported)) == content(volume)


def test_deleting_an_imported_record_does_not_delete_what_others_have_in_its_container(
    cloud: Any, volume: Any, array: Any
) -> None:
    full = cloud.create_backup(volume)
    cloud.write(volume, MIB, b"changed")
    second = cloud.create_backup(volume, incremental=True)
    record, first = cloud.export_backup(second), cloud.export_backup(full)
    forget(cloud, full, second)
    imported = cloud.import_backup(record)
    driver_of(cloud).delete_backup(imported)
    assert array.names == [full.container]
    again = cloud.import_backup(first)
    assert cloud.restore_backup(again).status == "available"


def test_a_record_whose_container_is_not_here_is_refused(cloud: Any, volume: Any) -> None:
    from cinder import exception

    backup = cloud.create_backup(volume)
    record = cloud.export_backup(backup)
    driver_of(cloud).backend.attachments.delete(backup.container)
    forget(cloud, backup)
    imported = cloud.import_backup(record)
    assert imported.status == "error"
    assert "is not in tenant /root" in imported.fail_reason
    assert isinstance(cloud.failures[-1], exception.InvalidBackup)


def test_a_record_whose_backup_is_not_whole_is_refused(cloud: Any, volume: Any, array: Any) -> None:
    from uuid import UUID

    from datera_backup.container import Geometry, NewBackup
    from datera_backup.errors import BackupFailed, BackupIncomplete
    from datera_backup.storage import containers

    driver = driver_of(cloud)
    full = cloud.create_backup(volume)
    second = cloud.create_backup(volume, incremental=True)
    record = cloud.export_backup(second)
    assert cloud.delete_backup(second) is None
    forget(cloud, second)
    imported = cloud.import_backup(record)
    assert imported.status == "error"
    assert f"Backup {second.id} is not in container" in imported.fail_reason
    with containers.opened(driver.backend.attachments, full.container, writable=True) as container:
        new = NewBackup(UUID(second.id), volume.id, MIB, Geometry())
        container.begin(new, living=container.committed)
    with pytest.raises(BackupIncomplete, match="ended without a commit"):
        driver.import_record(second, {**driver.export_record(full), "backup": second.id})
    with pytest.raises(BackupFailed, match="names no container"):
        driver.import_record(full, {**driver.export_record(full), "container": "volumebackups"})
    array.assert_quiet()


def test_a_record_of_a_later_format_is_refused(cloud: Any, volume: Any) -> None:
    from datera_backup.errors import BackupFailed

    backup = cloud.create_backup(volume)
    info = driver_of(cloud).export_record(backup)
    for changed in ({**info, "format": 2}, {**info, "driver": "swift"}, {}):
        with pytest.raises(BackupFailed, match="was not exported by this driver"):
            driver_of(cloud).import_record(backup, changed)
    driver_of(cloud).import_record(backup, info)


def test_holds_says_yes_for_a_stored_backup(cloud: Any, volume: Any, array: Any) -> None:
    driver = driver_of(cloud)
    full = cloud.create_backup(volume)
    second = cloud.create_backup(volume, incremental=True)
    assert driver.holds(full) is True
    assert driver.holds(second) is True
    assert cloud.delete_backup(second) is None
    assert driver.holds(second) is False
    assert driver.holds(full) is True
    array.assert_quiet()
    driver.backend.attachments.delete(full.container)
    assert driver.holds(full) is False


def test_holds_says_no_for_other_drivers_records(cloud: Any, volume: Any, array: Any) -> None:
    backup = cloud.create_backup(volume)
    kept = backup.container, backup.service_metadata
    driver = driver_of(cloud)
    backup.container, backup.service_metadata = "volumebackups", None
    assert driver.holds(backup) is False
    backup.service_metadata = "volume_1/2"
    assert driver.holds(backup) is False
    backup.container, backup.service_metadata = kept


def test_holds_says_unknown_when_the_cluster_is_unreachable(
    cloud: Any, volume: Any, array: Any
) -> None:
    backup = cloud.create_backup(volume)
    array.emulator.faults.drop(times=None)
    assert driver_of(cloud).holds(backup) is None
    array.emulator.faults.clear()


def test_holds_says_yes_for_a_damaged_container(cloud: Any, volume: Any, array: Any) -> None:
    backup = cloud.create_backup(volume)
    with open(array.data_file(backup.container), "r+b") as file:
        file.write(bytes(2 * MIB))
    assert driver_of(cloud).holds(backup) is True


def under_another_id(record: dict[str, str]) -> dict[str, str]:
    """The exported record as people edit it who want it beside the original."""
    decoded = json.loads(base64.b64decode(record["backup_url"]))
    decoded["id"] = str(uuid.uuid4())
    return {**record, "backup_url": base64.b64encode(json.dumps(decoded).encode()).decode()}


def test_a_record_imported_under_another_id_does_all_that_the_first_does(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    first = cloud.create_backup(volume)
    second = cloud.import_backup(under_another_id(cloud.export_backup(first)))
    assert second.status == "available", cloud.failures
    assert second.id != first.id
    driver = driver_of(cloud)
    assert driver.holds(second) is True
    assert driver.verify(second, lambda _done, _total: None) == []
    assert content(cloud.restore_backup(second)) == content(volume)
    again = cloud.export_backup(second)
    forget(cloud, second)
    third = cloud.import_backup(again)
    assert third.id == second.id
    assert content(cloud.restore_backup(third)) == content(volume)


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_two_records_of_one_backup_are_deleted_and_only_the_last_takes_the_data(
    cloud: Any, content: Any, volume: Any, array: Any, first_to_go: int
) -> None:
    original = cloud.create_backup(volume)
    both = [original, cloud.import_backup(under_another_id(cloud.export_backup(original)))]
    assert cloud.delete_backup(both[first_to_go]) is None
    assert array.names == [original.container]
    left = both[1 - first_to_go]
    assert content(cloud.restore_backup(left)) == content(volume)
    assert cloud.delete_backup(left) is None
    assert array.names == []
