# SPDX-License-Identifier: Apache-2.0
"""What is finished is told as finished; what could not be detached is named and tried again."""

from __future__ import annotations

import pkgutil
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MIB = 2**20
KINDS = ("html", "wrong_body", "drop", "a404")
NOT_FOUND = {"name": "NotFoundError", "message": "not found", "http": 404}

Strike = Callable[[], Any]


@pytest.fixture
def cloud(start_cloud: Callable[..., Any]) -> Any:
    """A cloud that does not wait for a busy cluster."""
    return start_cloud(backup_datera_503_timeout=0)


@pytest.fixture
def full(cloud: Any) -> Any:
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, random.Random(1).randbytes(2 * MIB))
    backup = cloud.create_backup(volume)
    assert backup.status == "available", backup.fail_reason
    return backup


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch, array: Any) -> Any:
    """Let faults begin right after a call; they are over when the block is."""

    @contextmanager
    def beginning_after(function: str, strike: Strike) -> Iterator[list[Any]]:
        real = pkgutil.resolve_name(function)
        struck: list[Any] = []

        def call(*arguments: Any, **options: Any) -> Any:
            result = real(*arguments, **options)
            if not struck:
                struck.append(strike())
            return result

        with monkeypatch.context() as patched:
            patched.setattr(function, call)
            yield struck
        array.emulator.faults.clear()

    return beginning_after


DETACHED = "datera_emulator.target.brick.FileConnector.disconnect_volume"
CONNECTED = "datera_emulator.target.brick.FileConnector.connect_volume"
LET_IN = "datera_volume.connection.Tenant.allow_initiator"


def bad_answer(array: Any, kind: str, number: int) -> Strike:
    faults = array.emulator.faults
    if kind == "a404":
        return lambda: faults.answer(404, NOT_FOUND, nth=number)
    return lambda: faults.kind(kind, nth=number)


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_one_bad_answer_while_detaching_spoils_nothing_that_is_finished(
    content: Any, full: Any, array: Any, around: Any, kind: str
) -> None:
    cloud = content.cloud
    volume = cloud.volume(full.volume_id)
    target, original = cloud.create_volume(1), content(volume)
    number, hits = 0, 1
    while hits:
        number += 1
        cloud.write(target, 0, b"\xee" * (3 * MIB))
        with around(DETACHED, bad_answer(array, kind, number)) as struck:
            restored = cloud.restore_backup(full, target)
        assert restored.status == "available", cloud.failures
        assert content(restored) == original
        array.assert_quiet()
        hits = struck[0].hits
        cloud.write(volume, MIB, random.Random(number).randbytes(MIB))
        for incremental in (True, False):
            with around(DETACHED, bad_answer(array, kind, number)):
                backup = cloud.create_backup(volume, incremental=incremental)
            assert backup.status == "available", backup.fail_reason
            array.assert_quiet()
            assert content(cloud.restore_backup(backup, target)) == content(volume)
            with around(DETACHED, bad_answer(array, kind, number)):
                left = cloud.delete_backup(backup)
            if left is not None:
                # The container was to be deleted, and that is what the bad answer was for.
                assert not incremental
                assert cloud.delete_backup(left) is None
            array.assert_quiet()
    assert number > 3
    assert array.names == [full.container]


def test_what_a_busy_cluster_keeps_open_is_finished_and_closed_by_the_next_use(
    content: Any, full: Any, array: Any, around: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = content.cloud
    with around(CONNECTED, lambda: array.emulator.faults.busy(times=None)):
        restored = cloud.restore_backup(full)
    assert restored.status == "available"
    assert content(restored) == content(cloud.volume(full.volume_id))
    assert f"Container {full.container} was left attached and could not be detached" in caplog.text
    with pytest.raises(AssertionError, match="is online"):
        array.assert_quiet()
    other = cloud.create_backup(cloud.create_volume(1))
    assert other.status == "available"
    array.assert_quiet()


def test_what_a_busy_cluster_keeps_open_is_closed_by_the_next_process(
    cloud: Any, full: Any, array: Any, around: Any
) -> None:
    from datera_backup.storage import leftovers

    with around(CONNECTED, lambda: array.emulator.faults.busy(times=None)):
        assert cloud.restore_backup(full).status == "available"
    leftovers.forget_all()
    cloud.restart_backup_manager()
    array.assert_quiet()


@pytest.mark.parametrize("call", ["restore", "verify"])
def test_a_restore_or_a_verification_that_failed_is_closed_by_the_next_use(
    cloud: Any, full: Any, array: Any, around: Any, call: str
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import ClusterFailed

    driver = DateraBackupDriver(cloud.context)
    with around(LET_IN, lambda: array.emulator.faults.busy(times=None)):
        if call == "restore":
            assert cloud.restore_backup(full).status == "error_restoring"
        else:
            with pytest.raises(ClusterFailed):
                driver.verify(full, lambda _done, _of: None)
    with pytest.raises(AssertionError, match="is open to initiators"):
        array.assert_quiet()
    other = cloud.create_backup(cloud.create_volume(1))
    assert other.status == "available"
    array.assert_quiet()


CREATED = "datera_backup.storage.containers.create"


@pytest.mark.parametrize("lost", ["the answer", "the cluster"])
def test_a_new_container_that_could_not_be_removed_is_closed_by_the_next_use(
    cloud: Any, full: Any, array: Any, around: Any, lost: str
) -> None:
    faults, volume = array.emulator.faults, cloud.volume(full.volume_id)
    if lost == "the answer":
        faults.kind("empty", method="POST", path="/app_instances")
        faults.drop(method="GET", path="/app_instances.*", times=None)
        failed = cloud.create_backup(volume)
        faults.clear()
    else:
        with around(CREATED, lambda: faults.busy(times=None)):
            failed = cloud.create_backup(volume)
    assert failed.status == "error"
    assert sorted(array.names) == sorted([full.container, failed.container])
    assert cloud.restore_backup(full).status == "available"
    array.assert_quiet()
    assert cloud.delete_backup(failed) is None
    assert array.names == [full.container]


def test_an_incremental_that_could_not_attach_names_what_it_left_open(
    cloud: Any, full: Any, array: Any, around: Any
) -> None:
    volume = cloud.volume(full.volume_id)
    with around(LET_IN, lambda: array.emulator.faults.busy(times=None)):
        failed = cloud.create_backup(volume, incremental=True)
    assert failed.status == "error"
    assert failed.container == full.container
    assert failed.service_metadata == f"datera-container:/root:{failed.id}"
    with pytest.raises(AssertionError, match="is open to initiators"):
        array.assert_quiet()
    assert cloud.delete_backup(failed) is None
    array.assert_quiet()
    assert cloud.restore_backup(full).status == "available"


def test_an_incremental_is_named_in_its_record_before_anything_is_attached(
    cloud: Any, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder import objects

    from datera_backup.storage.attachments import Attachments

    seen: list[tuple[str, str]] = []
    enter = Attachments._enter

    def look(attachments: Attachments, name: str) -> str:
        (record,) = objects.BackupList.get_all(cloud.context, filters={"status": "creating"})
        seen.append((record.container, record.service_metadata))
        return enter(attachments, name)

    monkeypatch.setattr(Attachments, "_enter", look)
    backup = cloud.create_backup(cloud.volume(full.volume_id), incremental=True)
    assert backup.status == "available"
    assert seen == [(full.container, f"datera-container:/root:{backup.id}")]


def test_an_incremental_on_a_container_that_cannot_be_read_stands_in_nobodys_way(
    cloud: Any, full: Any, array: Any
) -> None:
    with open(array.data_file(full.container), "r+b") as file:
        file.write(bytes(4 * MIB))
    volume = cloud.volume(full.volume_id)
    failed = cloud.create_backup(volume, incremental=True, container="wished")
    assert failed.status == "error"
    assert (failed.container, failed.service_metadata) == ("wished", None)
    assert cloud.delete_backup(failed) is None
    assert cloud.delete_backup(full) is None
    assert array.names == []


@pytest.mark.parametrize("incremental", [False, True])
def test_a_backup_whose_lock_is_lost_after_its_commit_is_good(
    content: Any, full: Any, monkeypatch: pytest.MonkeyPatch, incremental: bool
) -> None:
    from datera_backup.storage.locks import CloudLock

    cloud = content.cloud
    volume = cloud.volume(full.volume_id)
    release = CloudLock.release

    def fail(lock: CloudLock) -> None:
        release(lock)
        if "write" in lock._name:
            raise lock._lost()

    with monkeypatch.context() as patched:
        patched.setattr(CloudLock, "release", fail)
        backup = cloud.create_backup(volume, incremental=incremental)
    assert backup.status == "available", backup.fail_reason
    assert content(cloud.restore_backup(backup)) == content(volume)
