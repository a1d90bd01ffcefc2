# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not see one another's locks: what is written is not written over."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

MIB = 2**20


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(2 * MIB))
    return made


@pytest.fixture
def begun(cloud: Any) -> Callable[..., Any]:
    """Another host that has begun a backup in a container, and still writes it or has crashed."""
    from cinder import objects

    from datera_backup import cinder_record
    from datera_backup.container import Geometry, NewBackup
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers

    def begin(parent: Any, status: str | None) -> Any:
        other = objects.Backup(
            cloud.context,
            volume_id=parent.volume_id,
            user_id="user",
            project_id="a" * 32,
            status=status,
            host="otherhost",
            size=1,
        )
        if status is None:
            other.id = str(uuid4())
        else:
            other.create()
            cinder_record.claim(other, "/root", parent.container)
        attachments = DateraBackupDriver(cloud.context).backend.attachments
        with containers.opened(attachments, parent.container, writable=True) as container:
            container.begin(
                NewBackup(UUID(other.id), parent.volume_id, MIB, Geometry()),
                living=container.committed,
            )
        return other

    return begin


@pytest.mark.parametrize("status", ["creating", "deleting", None])
def test_range_that_may_still_be_written_is_not_reused(
    cloud: Any, content: Any, volume: Any, begun: Any, status: str | None
) -> None:
    full = cloud.create_backup(volume)
    begun(full, status)
    cloud.write(volume, MIB, b"changed")
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "available"
    assert second.container == f"backup-{second.id}"
    assert content(cloud.restore_backup(second)) == content(volume)
    assert cloud.delete_backup(second) is None


def test_the_range_of_a_backup_that_failed_is_used_again(
    cloud: Any, content: Any, volume: Any, begun: Any
) -> None:
    full = cloud.create_backup(volume)
    begun(full, "error")
    second = cloud.create_backup(volume, incremental=True)
    assert second.container == full.container
    assert content(cloud.restore_backup(second)) == content(volume)


def test_the_range_of_a_failed_backup_whose_record_has_another_id_is_not_reused(
    cloud: Any, content: Any, volume: Any, begun: Any
) -> None:
    from datera_backup import naming

    full = cloud.create_backup(volume)
    other = begun(full, None)
    record = begun(cloud.create_backup(volume), "error")
    record.container = full.container
    record.service_metadata = naming.service_metadata("/root", UUID(other.id))
    record.save()
    second = cloud.create_backup(volume, incremental=True)
    assert second.container == f"backup-{second.id}"
    assert content(cloud.restore_backup(second)) == content(volume)


def test_an_old_superblock_overwrites_no_backup_that_is_being_restored(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    from datera_backup.container import Container
    from datera_backup.container.device import FileDevice
    from datera_backup.container.format.geometry import LOG_START, SLOT_DISTANCE

    full = cloud.create_backup(volume)
    path = array.data_file(full.container)
    with path.open("rb") as file:
        before = file.read(SLOT_DISTANCE)
    cloud.write(volume, MIB, b"changed")
    second = cloud.create_backup(volume, incremental=True)
    expected = content(volume)
    second.status = "restoring"
    second.save()
    with FileDevice(path) as device:
        begins = Container.open(device).entries[-1].start
    with path.open("r+b", buffering=0) as file:
        newest, sector = os.pread(file.fileno(), LOG_START, 0), os.pread(file.fileno(), 512, begins)
        # Slot 0 could not be written then, and slot 1 has gone bad since. So has a sector, where
        # the second backup begins: the container itself does not notice that there is one.
        os.pwrite(file.fileno(), before, 0)
        os.pwrite(file.fileno(), bytes(SLOT_DISTANCE), SLOT_DISTANCE)
        os.pwrite(file.fileno(), bytes(512), begins)
    cloud.create_backup(volume, incremental=True)
    with path.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), newest, 0)
        os.pwrite(file.fileno(), sector, begins)
    second.status = "available"
    second.save()
    assert content(cloud.restore_backup(second)) == expected


def test_a_backup_that_loses_its_lock_ends_and_touches_nothing_more(
    cloud: Any, content: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.container import Container
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import LockLost
    from datera_backup.operations import create_backup, progress
    from datera_backup.storage import containers
    from datera_backup.storage.locks import CloudLock

    full = cloud.create_backup(volume)
    expected = content(volume)
    touched: list[str] = []

    def lost(_lock: Any) -> None:
        raise LockLost("the lease has run out")

    with monkeypatch.context() as patched:
        patched.setattr(CloudLock, "require", lost)
        for change in ("doom", "drop"):
            patched.setattr(Container, change, lambda *_, change=change: touched.append(change))
        patched.setattr(create_backup, "run", lambda job, watch: progress.run(job, watch, 0))
        second = cloud.create_backup(volume, incremental=True)
    assert second.status == "error"
    assert second.fail_reason == "the lease has run out"
    assert touched == []
    attachments = DateraBackupDriver(cloud.context).backend.attachments
    with containers.opened(attachments, full.container, writable=False) as container:
        assert [str(one) for one in container.committed] == [full.id]
    assert content(cloud.restore_backup(full)) == expected
    assert cloud.delete_backup(second) is None
    assert cloud.create_backup(volume, incremental=True).status == "available"


@pytest.mark.parametrize("hosts", [1, 2])
def test_hosts_that_cannot_see_one_anothers_locks_are_named_once(
    cloud: Any, volume: Any, caplog: pytest.LogCaptureFixture, hosts: int
) -> None:
    from datera_backup.storage.neighbours import Warnings

    if hosts > 1:
        from cinder.backup.rpcapi import BackupAPI

        cloud._heartbeat("cinder-backup", BackupAPI, "otherhost")
    warnings = Warnings()
    for _ in range(2):
        warnings.of_uncoordinated_hosts(cloud.context)
    said = [r.getMessage() for r in caplog.records if "coordinates" in r.getMessage()]
    assert len(said) == hosts - 1
    assert all("otherhost, testhost" in text and "file:" in text for text in said)
    assert cloud.create_backup(volume).status == "available"
