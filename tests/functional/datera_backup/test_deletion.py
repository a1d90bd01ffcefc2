# SPDX-License-Identifier: Apache-2.0
"""Deleting leaves nothing of a backup, and everything of the others."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20
SUPERBLOCKS = 4 * MIB


@pytest.fixture(scope="module")
def saved_chain(save_cloud: Any) -> tuple[Path, list[str]]:
    """A cloud with a full backup and two incrementals of one volume, and their identifiers."""
    identifiers = []

    def prepare(cloud: Any) -> None:
        volume = cloud.create_volume(1)
        for number in range(3):
            cloud.write(volume, number * MIB, random.Random(number).randbytes(MIB))
            backup = cloud.create_backup(volume, f"day{number}", incremental=number > 0)
            identifiers.append(backup.id)

    return save_cloud(prepare), identifiers


@pytest.fixture
def beginning(request: pytest.FixtureRequest) -> Path | None:
    """The tests of the chain begin with it."""
    if "chain" not in request.fixturenames:
        return None
    folder: Path = request.getfixturevalue("saved_chain")[0]
    return folder


@pytest.fixture
def chain(cloud: Any, saved_chain: tuple[Path, list[str]]) -> list[Any]:
    """A full backup and two incrementals of one volume."""
    return [cloud.backup(one) for one in saved_chain[1]]


def test_a_parent_cannot_be_deleted_before_its_children(cloud: Any, chain: list[Any]) -> None:
    from cinder import exception

    for backup in chain[:2]:
        with pytest.raises(exception.InvalidBackup, match="Incremental backups exist"):
            cloud.delete_backup(backup)


def test_deleting_from_the_end_takes_ranges_back_and_the_last_takes_the_container(
    cloud: Any, content: Any, chain: list[Any], array: Any
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers

    attachments = DateraBackupDriver(cloud.context).backend.attachments
    tails = []
    name = chain[0].container
    expected = content(cloud.restore_backup(chain[0]))
    for left in (chain[2], chain[1]):
        with containers.opened(attachments, name) as container:
            tails.append(container.tail)
        assert cloud.delete_backup(left) is None
        assert content(cloud.restore_backup(chain[0])) == expected
        array.assert_quiet()
    with containers.opened(attachments, name) as container:
        tails.append(container.tail)
    assert tails == sorted(tails, reverse=True)
    assert len(set(tails)) == 3
    assert cloud.delete_backup(chain[0]) is None
    assert array.names == []
    assert cloud.failures == []


def test_a_failed_child_is_deleted_before_and_after_its_younger_sibling(
    cloud: Any, content: Any, chain: list[Any], array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.operations import create_backup

    volume = cloud.volume(chain[0].volume_id)
    with monkeypatch.context() as patched:
        patched.setattr(
            create_backup, "run", lambda *_a: (_ for _ in ()).throw(OSError("bad disk"))
        )
        failed = cloud.create_backup(volume, "failed", incremental=True)
    assert failed.status == "error"
    assert failed.container == chain[0].container
    younger = cloud.create_backup(volume, "younger", incremental=True)
    assert younger.status == "available"
    expected = content(volume)
    assert cloud.delete_backup(failed) is None
    assert content(cloud.restore_backup(younger)) == expected
    for backup in (younger, *reversed(chain)):
        assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_no_lock_of_a_container_outlives_it(
    cloud: Any, chain: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.operations import create_backup

    def files() -> list[str]:
        found = [path.name for path in cloud.directory.rglob("*datera-backup-*")]
        return [name for name in found if not name.endswith("-open")]

    assert files()
    for backup in reversed(chain):
        cloud.delete_backup(backup)
    assert files() == []
    DateraBackupDriver(cloud.context).delete_backup(chain[0])
    assert files() == []
    with monkeypatch.context() as patched:
        patched.setattr(
            create_backup, "run", lambda *_a: (_ for _ in ()).throw(OSError("bad disk"))
        )
        failed = cloud.create_backup(cloud.volume(chain[0].volume_id))
    assert failed.status == "error"
    assert files() == []


def test_chains_of_several_volumes_do_not_touch_one_another(
    cloud: Any, content: Any, chain: list[Any], array: Any
) -> None:
    other = cloud.create_volume(1)
    cloud.write(other, 0, b"other")
    theirs = cloud.create_backup(other, "other")
    for backup in reversed(chain):
        cloud.delete_backup(backup)
    assert array.names == [theirs.container]
    assert content(cloud.restore_backup(theirs)) == content(other)


def test_a_container_that_is_already_gone_is_a_warning(
    cloud: Any, chain: list[Any], array: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from datera_backup.driver import DateraBackupDriver

    DateraBackupDriver(cloud.context).backend.attachments.delete(chain[0].container)
    assert cloud.delete_backup(chain[2]) is None
    assert cloud.failures == []
    assert f"Container {chain[0].container} is not in tenant /root" in caplog.text


def test_deleting_twice_is_no_error(cloud: Any, chain: list[Any], array: Any) -> None:
    from datera_backup.driver import DateraBackupDriver

    driver = DateraBackupDriver(cloud.context)
    for backup in reversed(chain):
        assert array.names == [chain[0].container]
        driver.delete_backup(backup)
        driver.delete_backup(backup)
        backup.destroy()
    assert array.names == []


@pytest.mark.parametrize("state", ["available", "restoring", "creating", "error", "deleting"])
def test_a_parent_is_kept_whichever_projects_child_needs_it(
    cloud: Any, chain: list[Any], array: Any, content: Any, state: str
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import HasIncrementals

    child = chain[2]
    child.status, child.project_id = state, "a" * 32
    child.save()
    with pytest.raises(HasIncrementals, match=f"backup {child.id} is an incremental of it"):
        DateraBackupDriver(cloud.context).delete_backup(chain[1])
    child.status = "available"
    child.save()
    assert content(cloud.restore_backup(child)) == content(cloud.volume(child.volume_id))


def test_the_only_backup_of_a_container_is_kept_for_children_in_others(
    cloud: Any, array: Any, content: Any
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import HasIncrementals
    from datera_backup.storage.locks import writer_lock

    volume = cloud.create_volume(1)
    cloud.write(volume, 0, random.Random(1).randbytes(MIB))
    full = cloud.create_backup(volume)
    lock = writer_lock(full.container)
    assert lock.try_acquire()
    child = cloud.create_backup(volume, incremental=True)
    lock.release()
    assert child.container != full.container
    driver = DateraBackupDriver(cloud.context)
    with pytest.raises(HasIncrementals):
        driver.delete_backup(full)
    with open(array.data_file(full.container), "r+b") as file:
        good = file.read(SUPERBLOCKS)
        file.seek(0)
        file.write(bytes(SUPERBLOCKS))
    with pytest.raises(HasIncrementals):
        driver.delete_backup(full)
    with open(array.data_file(full.container), "r+b") as file:
        file.write(good)
    assert content(cloud.restore_backup(child)) == content(volume)


@pytest.mark.parametrize("state", ["deleting", "error", "creating"])
def test_an_incremental_does_not_begin_on_a_parent_that_is_not_available(
    cloud: Any, chain: list[Any], array: Any, state: str
) -> None:
    from cinder import exception, objects

    from datera_backup.driver import DateraBackupDriver

    chain[2].status = state
    chain[2].save()
    cinder_record = objects.Backup(
        cloud.context,
        volume_id=chain[2].volume_id,
        user_id="user",
        project_id=cloud.context.project_id,
        parent_id=chain[2].id,
        status="creating",
        host="testhost",
        size=1,
    )
    cinder_record.create()
    with (
        open(cloud._file(cloud.volume(cinder_record.volume_id)), "rb") as file,
        pytest.raises(exception.InvalidBackup, match=f"{chain[2].id} is {state}, not available"),
    ):
        DateraBackupDriver(cloud.context).backup(cinder_record, file)
    assert cloud.backup(cinder_record.id).service_metadata is None


def test_an_unreachable_cluster_is_not_a_missing_container(
    cloud: Any, chain: list[Any], array: Any
) -> None:
    array.emulator.faults.drop(times=None)
    left = cloud.delete_backup(chain[2])
    assert left.status == "error"
    assert "127.0.0.1" in left.fail_reason
    array.emulator.faults.clear()
    assert cloud.delete_backup(left) is None


def test_a_record_that_never_had_a_container_is_deleted(cloud: Any, array: Any) -> None:
    from cinder import objects

    volume = cloud.create_volume(1)
    for wish in (None, "nightly", "backup-6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"):
        cinder_record = objects.Backup(
            cloud.context,
            volume_id=volume.id,
            user_id="user",
            project_id=cloud.context.project_id,
            status="error",
            host="testhost",
            service="datera_backup.driver.DateraBackupDriver",
            container=wish,
            size=1,
        )
        cinder_record.create()
        assert cloud.delete_backup(cinder_record) is None
    assert cloud.failures == []
    assert array.emulator.cluster.counters.of("GET", "/app_instances/:id") == 0


def test_a_record_of_another_driver_is_refused(cloud: Any, chain: list[Any]) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import BackupFailed

    cinder_record = chain[2]
    cinder_record.container = "volumebackups"
    cinder_record.service_metadata = "volume_1/20261124/az_nova_backup_2"
    cinder_record.save()
    with pytest.raises(BackupFailed, match="not a record of the Datera driver"):
        DateraBackupDriver(cloud.context).delete_backup(cinder_record)


def test_a_container_that_cannot_be_read_is_deleted_with_its_only_backup(
    cloud: Any, array: Any
) -> None:
    volume = cloud.create_volume(1)
    backup = cloud.create_backup(volume)
    with open(array.data_file(backup.container), "r+b") as file:
        file.write(bytes(SUPERBLOCKS))
    assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_a_container_that_cannot_be_read_keeps_its_other_backups(
    cloud: Any, chain: list[Any], array: Any
) -> None:
    path = array.data_file(chain[0].container)
    with open(path, "r+b") as file:
        good = file.read(SUPERBLOCKS)
        file.seek(0)
        file.write(bytes(SUPERBLOCKS))
    left = cloud.delete_backup(chain[2])
    assert left.status == "error"
    assert "should hold 2 more backups" in left.fail_reason
    assert array.names == [chain[0].container]
    with open(path, "r+b") as file:
        file.write(good)
    assert cloud.delete_backup(left) is None


def test_a_container_that_cannot_be_read_is_kept_for_one_that_is_being_written(
    cloud: Any, array: Any
) -> None:
    from datera_backup import cinder_record
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import ContainerDamaged

    volume = cloud.create_volume(1)
    backup, other = cloud.create_backup(volume), cloud.create_backup(volume)
    kept = other.container, other.status
    cinder_record.claim(other, "/root", backup.container)
    other.status = "creating"
    other.save()
    path = array.data_file(backup.container)
    with open(path, "r+b") as file:
        file.write(bytes(SUPERBLOCKS))
    with pytest.raises(ContainerDamaged, match=f"1 more backups, among them {other.id}"):
        DateraBackupDriver(cloud.context).delete_backup(backup)
    assert kept[0] in array.names
    assert path.exists()


@pytest.mark.parametrize("size", [0, MIB, 2 * MIB + 4096])
def test_a_container_whose_device_is_cut_off_is_not_deleted(
    cloud: Any, array: Any, content: Any, size: int
) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, random.Random(1).randbytes(MIB))
    backup = cloud.create_backup(volume)
    path = array.data_file(backup.container)
    whole = path.stat().st_size
    with open(path, "r+b") as file:
        good = file.read(8 * MIB)
        file.truncate(size)
    left = cloud.delete_backup(backup)
    assert left.status == "error"
    assert "ends at byte" in left.fail_reason or f"only {size} bytes" in left.fail_reason
    assert array.names == [backup.container]
    path.write_bytes(good)
    os.truncate(path, whole)
    left.status = "available"
    left.save()
    assert content(cloud.restore_backup(left)) == content(volume)


def test_a_deletion_goes_by_the_record_as_it_is_now(cloud: Any, array: Any) -> None:
    from datera_backup.driver import DateraBackupDriver

    backup = cloud.create_backup(cloud.create_volume(1))
    # The API read it before the running backup had chosen its container.
    stale = cloud.backup(backup.id)
    stale.container = stale.service_metadata = None
    DateraBackupDriver(cloud.context).delete_backup(stale)
    assert array.names == []


def test_a_deletion_waits_for_whoever_writes_to_the_container(
    cloud: Any, chain: list[Any], array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers
    from datera_backup.storage.locks import CloudLock, writer_lock

    driver = DateraBackupDriver(cloud.context)
    real, refused = CloudLock.try_acquire, threading.Event()

    def try_acquire(self: Any) -> bool:
        got = real(self)
        if not got:
            refused.set()
        return got

    writer = writer_lock(chain[0].container)
    assert writer.try_acquire()
    monkeypatch.setattr(CloudLock, "try_acquire", try_acquire)
    deleting = threading.Thread(target=driver.delete_backup, args=(chain[2],))
    deleting.start()
    assert refused.wait(30)
    with containers.opened(driver.backend.attachments, chain[0].container) as container:
        assert len(container.committed) == 3
    assert deleting.is_alive()
    writer.release()
    deleting.join(30)
    with containers.opened(driver.backend.attachments, chain[0].container) as container:
        assert len(container.committed) == 2
