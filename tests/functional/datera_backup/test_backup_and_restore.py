# SPDX-License-Identifier: Apache-2.0
"""Backups of a real Cinder come back byte for byte."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytestmark = pytest.mark.release

KIB, MIB = 2**10, 2**20


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def volume(cloud: Any) -> Any:
    """A volume with noise, text and holes."""
    made = cloud.create_volume(1, name="source")
    cloud.write(made, 0, noise(1, 3 * MIB))
    cloud.write(made, 5 * MIB, b"All work and no play makes Jack a dull boy.\n" * 20000)
    cloud.write(made, 16 * MIB - 5, b"tail!")
    return made


def test_a_full_backup_comes_back_on_a_new_volume(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    backup = cloud.create_backup(volume, "monday")
    assert (backup.status, backup.fail_reason) == ("available", None)
    assert backup.container == f"backup-{backup.id}"
    assert backup.service_metadata == f"datera-container:/root:{backup.id}"
    assert backup.service == "datera_backup.driver.DateraBackupDriver"
    assert backup.object_count == 1
    assert array.names == [backup.container]
    array.assert_quiet()

    restored = cloud.restore_backup(backup)
    assert restored.status == "available"
    assert content(restored) == content(volume)
    assert cloud.failures == []
    array.assert_quiet()


def test_a_restore_onto_a_used_volume_leaves_nothing_of_the_old(
    cloud: Any, content: Any, volume: Any
) -> None:
    backup = cloud.create_backup(volume, "monday")
    dirty = cloud.create_volume(1, name="dirty")
    cloud.write(dirty, 0, noise(2, 16 * MIB))
    restored = cloud.restore_backup(backup, dirty)
    assert restored.status == "available"
    assert content(restored) == content(volume)


def test_a_restore_onto_a_larger_volume_leaves_the_rest(
    cloud: Any, content: Any, volume: Any
) -> None:
    backup = cloud.create_backup(volume, "monday")
    larger = cloud.create_volume(2, name="larger")
    cloud.write(larger, 16 * MIB, noise(3, MIB))
    restored = cloud.restore_backup(backup, larger)
    assert content(restored)[: 16 * MIB] == content(volume)
    assert content(restored)[16 * MIB : 17 * MIB] == noise(3, MIB)


def test_a_chain_of_four_lies_in_one_container_and_each_comes_back(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    contents, backups = [], []
    for number in range(4):
        cloud.write(volume, number * MIB + 17, noise(10 + number, 100 * KIB))
        cloud.write(volume, 5 * MIB + number * 64 * KIB, bytes(64 * KIB))
        contents.append(content(volume))
        backups.append(cloud.create_backup(volume, f"day{number}", incremental=number > 0))
    assert [backup.status for backup in backups] == ["available"] * 4
    assert [backup.parent_id for backup in backups] == [None, *[b.id for b in backups[:3]]]
    assert {backup.container for backup in backups} == {f"backup-{backups[0].id}"}
    assert array.names == [backups[0].container]

    dirty = cloud.create_volume(1, name="dirty")
    for backup, expected in zip(backups, contents, strict=True):
        assert content(cloud.restore_backup(backup)) == expected
        assert content(cloud.restore_backup(backup, dirty)) == expected
    assert cloud.failures == []
    array.assert_quiet()


def test_an_incremental_stores_only_what_changed(cloud: Any, volume: Any, array: Any) -> None:
    full = cloud.create_backup(volume, "monday")
    before = array.data_file(full.container).stat().st_blocks
    cloud.write(volume, 2 * MIB, noise(4, 64 * KIB))
    cloud.create_backup(volume, "tuesday", incremental=True)
    grown = (array.data_file(full.container).stat().st_blocks - before) * 512
    assert grown < 256 * KIB


def test_a_volume_that_grew_takes_an_incremental(cloud: Any, content: Any, volume: Any) -> None:
    full = cloud.create_backup(volume, "monday")
    volume.size = 2
    volume.save()
    with open(cloud._file(volume), "r+b") as file:
        file.truncate(32 * MIB)
    cloud.write(volume, 30 * MIB, noise(5, MIB))
    grown = cloud.create_backup(volume, "tuesday", incremental=True)
    assert (grown.status, grown.size, grown.container) == ("available", 2, full.container)
    assert content(cloud.restore_backup(grown)) == content(volume)


def test_a_snapshot_is_backed_up_as_it_was(cloud: Any, content: Any, volume: Any) -> None:
    snapshot = cloud.create_snapshot(volume)
    expected = content(volume)
    cloud.write(volume, 0, noise(6, MIB))
    backup = cloud.create_backup(volume, "snap", snapshot=snapshot)
    assert content(cloud.restore_backup(backup)) == expected


def test_an_empty_volume_is_backed_up(cloud: Any, content: Any) -> None:
    volume = cloud.create_volume(1)
    backup = cloud.create_backup(volume, "nothing")
    dirty = cloud.create_volume(1, name="dirty")
    cloud.write(dirty, 0, noise(7, 16 * MIB))
    assert content(cloud.restore_backup(backup, dirty)) == bytes(16 * MIB)


def test_volume_metadata_comes_back(cloud: Any, volume: Any) -> None:
    cloud.volumes.update_volume_metadata(
        cloud.context, cloud.volume(volume.id), {"owner": "accounting"}
    )
    backup = cloud.create_backup(volume, "monday")
    restored = cloud.restore_backup(backup)
    assert cloud.volume(restored.id).metadata["owner"] == "accounting"
    # A volume that was made for the restore takes the old one's name, too.
    assert restored.name == cloud.volume(restored.id).name
    assert restored.display_name == "source"


def test_metadata_of_an_unknown_version_is_an_error(
    cloud: Any, volume: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder import exception
    from cinder.backup import driver

    backup = cloud.create_backup(volume, "monday")

    def put(*_arguments: Any) -> None:
        raise exception.BackupMetadataUnsupportedVersion

    monkeypatch.setattr(driver.BackupMetadataAPI, "put", put)
    restored = cloud.restore_backup(backup)
    assert restored.status.startswith("error")
    assert isinstance(cloud.failures[-1], exception.BackupOperationError)


class NoDescriptor:
    """A source like Cinder's wrapper around an RBD image: it has no descriptor."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def seek(self, offset: int, whence: int = 0) -> None:
        base = {0: 0, 1: self._position, 2: len(self._data)}[whence]
        self._position = base + offset

    def tell(self) -> int:
        return self._position

    def read(self, length: int | None = None) -> bytes:
        end = len(self._data) if length is None else self._position + length
        data = self._data[self._position : end]
        self._position += len(data)
        return data

    def fileno(self) -> int:
        raise OSError("fileno() not supported by RBD()")


@pytest.mark.parametrize("size", [MIB, 15 * MIB])
def test_a_device_that_is_shorter_than_the_volume_is_refused(
    cloud: Any, array: Any, size: int
) -> None:
    volume = cloud.create_volume(1)
    with open(cloud._file(volume), "r+b") as file:
        file.truncate(size)
    backup = cloud.create_backup(volume)
    assert backup.status == "error"
    assert f"has {16 * MIB} bytes (1 GiB)" in backup.fail_reason
    assert f"has only {size}" in backup.fail_reason
    assert array.names == []
    assert backup.service_metadata is None


def test_a_snapshot_of_a_volume_that_was_extended_since_is_whole(cloud: Any) -> None:
    volume = cloud.create_volume(1)
    snapshot = cloud.create_snapshot(volume)
    volume.size = 2
    volume.save()
    backup = cloud.create_backup(volume, snapshot=snapshot)
    assert backup.status == "available"
    assert backup.size == 2


def test_a_source_without_a_descriptor_is_read_through_its_object(
    cloud: Any, content: Any, volume: Any
) -> None:
    from eventlet import tpool

    from datera_backup.driver import DateraBackupDriver

    backup = cloud.create_backup(volume, "monday")
    data = noise(8, 2 * MIB) + bytes(14 * MIB)
    second = cloud.backup(backup.id)
    cloud.delete_backup(backup)

    driver = DateraBackupDriver(cloud.context)
    from cinder import objects

    record = objects.Backup(
        cloud.context,
        volume_id=volume.id,
        user_id=second.user_id,
        project_id=second.project_id,
        status="creating",
        host=second.host,
        size=1,
    )
    record.create()
    driver.backup(record, tpool.Proxy(NoDescriptor(data)))
    record.status = "restoring"
    record.save()
    target = cloud.create_volume(1, name="target")
    with open(cloud._file(target), "r+b") as file:
        driver.restore(record, target.id, tpool.Proxy(file), True)
    assert content(target) == data
