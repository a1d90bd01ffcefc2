# SPDX-License-Identifier: Apache-2.0
"""Backups that are deleted while they run, and restores that are stopped, end soon and cleanly."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cinder import exception
from eventlet import patcher

pytestmark = pytest.mark.release

MIB = 2**20


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(8 * MIB))
    return made


@pytest.fixture
def while_running(monkeypatch: pytest.MonkeyPatch) -> Callable[[type, Callable[[Any], None]], None]:
    """Do something to the record, once, while the engine runs."""
    from datera_backup.operations import create_backup, progress, restore_backup

    started: list[bool] = []

    def arrange(watch: type, action: Callable[[Any], None]) -> None:
        real_check = watch.check  # type: ignore[attr-defined]

        def run(job: Any, watch: Any) -> Any:
            started.append(True)
            return progress.run(job, watch, 0)

        def check(self: Any) -> None:
            if started:
                started.clear()
                monkeypatch.setattr(watch, "check", real_check)
                action(self._backup)
            real_check(self)

        monkeypatch.setattr(create_backup, "run", run)
        monkeypatch.setattr(restore_backup, "run", run)
        monkeypatch.setattr(watch, "check", check)

    return arrange


class Deleting(threading.Thread):
    """Force-deletes a backup in a thread, as a service would."""

    def __init__(self, cloud: Any) -> None:
        super().__init__()
        self.cloud = cloud
        self.backup_id = ""
        self.failure: Exception | None = None

    def begin(self, backup: Any) -> None:
        self.backup_id = backup.id
        self.start()
        # The API writes the state down before it calls the service, which then waits for us.
        while self.cloud.backup(backup.id).status != "deleting":
            self.join(0.01)
            assert self.is_alive()

    def run(self) -> None:
        try:
            backup = self.cloud.backup(self.backup_id)
            self.cloud.backups.delete(self.cloud.context, backup, force=True)
        except Exception as failure:
            self.failure = failure


def gone(cloud: Any, backup_id: str) -> bool:
    try:
        cloud.backup(backup_id)
    except exception.BackupNotFound:
        return True
    return False


def test_a_forced_deletion_during_the_backup_leaves_neither_record_nor_data(
    cloud: Any, volume: Any, array: Any, while_running: Any
) -> None:
    from datera_backup.operations.progress import BackupWatch

    deleting = Deleting(cloud)
    while_running(BackupWatch, deleting.begin)
    with suppress(exception.BackupNotFound):  # the fixture reads the record in the end
        cloud.create_backup(volume)
    deleting.join(30)
    assert deleting.failure is None
    assert gone(cloud, deleting.backup_id)
    assert array.names == []
    assert cloud.failures == []
    assert cloud.volume(volume.id).status == "available"


def test_a_cancelled_backup_whose_deletion_failed_is_no_good_one(
    cloud: Any, volume: Any, array: Any, while_running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.operations.progress import BackupWatch

    real = DateraBackupDriver.backup

    def set_state(record: Any, state: str) -> None:
        other = cloud.backup(record.id)
        other.status = state
        other.save()

    def backup(self: Any, record: Any, *arguments: Any) -> Any:
        updates = real(self, record, *arguments)
        set_state(record, "error")
        return updates

    monkeypatch.setattr(DateraBackupDriver, "backup", backup)
    while_running(BackupWatch, lambda record: set_state(record, "deleting"))
    cancelled = cloud.create_backup(volume)
    assert cancelled.status == "error"
    assert "cancelled" in cancelled.fail_reason
    assert array.names == []
    assert cloud.delete_backup(cancelled) is None


def test_a_forced_deletion_of_an_incremental_leaves_the_rest_of_the_chain(
    cloud: Any, content: Any, volume: Any, array: Any, while_running: Any
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.operations.progress import BackupWatch
    from datera_backup.storage import containers

    full = cloud.create_backup(volume)
    expected = content(volume)
    cloud.write(volume, 0, random.Random(2).randbytes(8 * MIB))
    deleting = Deleting(cloud)
    while_running(BackupWatch, deleting.begin)
    with suppress(exception.BackupNotFound):
        cloud.create_backup(volume, incremental=True)
    deleting.join(30)
    assert deleting.failure is None
    assert gone(cloud, deleting.backup_id)
    assert content(cloud.restore_backup(full)) == expected
    attachments = DateraBackupDriver(cloud.context).backend.attachments
    with containers.opened(attachments, full.container) as container:
        assert [str(one) for one in container.committed] == [full.id]
        assert len(container.entries) == 1
    third = cloud.create_backup(volume, incremental=True)
    assert third.status == "available"
    assert third.parent_id == full.id


def test_a_backup_that_was_deleted_before_its_turn_makes_nothing(
    cloud: Any, volume: Any, array: Any
) -> None:
    from cinder import objects

    from datera_backup.driver import DateraBackupDriver

    for state in ("deleting", "deleted"):
        record = objects.Backup(
            cloud.context,
            volume_id=volume.id,
            user_id="user",
            project_id=cloud.context.project_id,
            status="creating",
            host="testhost",
            size=1,
        )
        record.create()
        stale = cloud.backup(record.id)
        record.status = "deleting"
        record.save()
        if state == "deleted":
            record.destroy()
        with open(cloud._file(volume), "rb") as file:
            DateraBackupDriver(cloud.context).backup(stale, file)
        assert array.names == []


def test_a_restore_whose_record_changes_its_state_is_cancelled(
    cloud: Any, volume: Any, array: Any, while_running: Any
) -> None:
    from datera_backup.operations.progress import RestoreWatch

    backup = cloud.create_backup(volume)

    def reset(record: Any) -> None:
        other = cloud.backup(record.id)
        other.status = "available"
        other.save()

    while_running(RestoreWatch, reset)
    restored = cloud.restore_backup(backup)
    assert restored.status == "error"
    assert cloud.failures == []
    assert cloud.backup(backup.id).status == "available"
    array.assert_quiet()
    assert cloud.first_difference(cloud.restore_backup(backup), volume) is None


class Stuck:
    """A source whose reads hang until somebody lets them go on.

    The engine reads in native threads, even where others are green.
    """

    def __init__(self, size: int, byte: bytes = b"x") -> None:
        self.size = size
        self.byte = byte
        self.position = 0
        native = patcher.original("threading")
        self.reading = native.Event()
        self.go_on = native.Event()

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = {0: 0, 1: self.position, 2: self.size}[whence] + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def read(self, length: int) -> bytes:
        self.reading.set()
        assert self.go_on.wait(30)
        data = self.byte * min(length, self.size - self.position)
        self.position += len(data)
        return data


def test_a_backup_is_cancelled_between_two_reads(cloud: Any, volume: Any, array: Any) -> None:
    from cinder import objects

    from datera_backup.driver import DateraBackupDriver
    from datera_backup.native_thread import in_native_thread
    from datera_backup.operations.volumes import BYTES_PER_GIB

    record = objects.Backup(
        cloud.context,
        volume_id=volume.id,
        user_id="user",
        project_id=cloud.context.project_id,
        status="creating",
        host="testhost",
        size=2**40 // BYTES_PER_GIB,
    )
    record.create()
    source = Stuck(2**40)  # it would take days
    running = threading.Thread(
        target=lambda: DateraBackupDriver(cloud.context).backup(record, source)
    )
    running.start()
    assert in_native_thread(source.reading.wait, 30)
    other = cloud.backup(record.id)
    assert other.container == f"backup-{record.id}"
    other.status = "deleting"
    other.save()
    source.go_on.set()
    running.join(30)
    assert not running.is_alive()
    assert array.names == []


def test_a_backup_is_cancelled_while_it_reads_what_lies_behind_the_volume(
    cloud: Any, volume: Any, array: Any
) -> None:
    from cinder import objects

    from datera_backup.driver import DateraBackupDriver
    from datera_backup.native_thread import in_native_thread

    record = objects.Backup(
        cloud.context,
        volume_id=volume.id,
        user_id="user",
        project_id=cloud.context.project_id,
        status="creating",
        host="testhost",
        size=1,
    )
    record.create()
    source = Stuck(2**40, b"\0")
    results: list[Any] = []
    running = threading.Thread(
        target=lambda: results.append(DateraBackupDriver(cloud.context).backup(record, source))
    )
    running.start()
    assert in_native_thread(source.reading.wait, 30)
    other = cloud.backup(record.id)
    other.status = "deleting"
    other.save()
    source.go_on.set()
    running.join(30)
    assert not running.is_alive()
    assert "cancelled" in results[0]["fail_reason"]
    assert cloud.backup(record.id).container is None
    assert array.names == []


def test_progress_is_notified(cloud: Any, volume: Any, while_running: Any) -> None:
    from oslo_messaging.notify import _impl_test

    from datera_backup.operations.progress import BackupWatch

    _impl_test.reset()
    while_running(BackupWatch, lambda _record: None)
    backup = cloud.create_backup(volume)
    events = [
        (message[1]["event_type"], message[1]["payload"])
        for message in _impl_test.NOTIFICATIONS
        if message[1]["event_type"] == "backup.createprogress"
    ]
    assert events
    assert events[-1][1]["backup_percent"] == 100
    assert events[-1][1]["backup_id"] == backup.id
