# SPDX-License-Identifier: Apache-2.0
"""Whenever a container goes, or is given up before it is made, its files of locks go with it."""

from __future__ import annotations

import pkgutil
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from cinder import exception

MIB = 2**20
MOMENTS = (
    "datera_backup.operations.create_backup.CreateBackup.run",
    "datera_backup.storage.locks.CloudLock.acquire",
    "datera_backup.storage.locks.CloudLock.release",
    "datera_backup.cinder_record.claim",
    "datera_backup.operations.progress.BackupWatch.check",
    "datera_backup.storage.containers.create",
    "datera_backup.storage.containers.formatted",
    "datera_backup.storage.attachments.Attachments._enter",
    "datera_backup.storage.attachments.Attachments._leave",
    "datera_backup.storage.attachments.Attachments.delete",
    "datera_backup.storage.attachments.access_lock",
    "datera_backup.operations.create_backup.BackupJob",
    "datera_backup.operations.create_backup.remove_locks",
)


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(2 * MIB))
    return made


def lock_files(cloud: Any) -> list[str]:
    found = [path.name for path in cloud.directory.rglob("*datera-backup-*")]
    return sorted(name for name in found if not name.endswith("-open"))


class ForcedDeletion(threading.Thread):
    """Force-deletes the one backup in a thread, as a service would.

    :ivar stuck: set once it waits for the writer of the backup.
    """

    def __init__(self, cloud: Any) -> None:
        super().__init__()
        self.cloud = cloud
        self.stuck = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            (backup,) = self.cloud.backups.get_all(self.cloud.context)
            self.cloud.backups.delete(self.cloud.context, backup, force=True)
        except Exception as failure:
            self.failure = failure
        finally:
            self.stuck.set()


@pytest.fixture
def deleted_at(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, bool], ForcedDeletion]:
    """Delete the backup by force when the one who writes it first comes to a step, or has left it.

    The writer goes on when the deletion has ended, or waits for him.
    """
    from datera_backup.storage.locks import CloudLock

    deletion = ForcedDeletion(cloud)
    writer = threading.current_thread()
    real_try = CloudLock.try_acquire

    def try_acquire(self: Any) -> bool:
        got = real_try(self)
        if not got and threading.current_thread() is deletion:
            deletion.stuck.set()
        return got

    def begin() -> None:
        if deletion.ident is None and threading.current_thread() is writer:
            deletion.start()
            assert deletion.stuck.wait(60)

    def arrange(moment: str, after: bool) -> ForcedDeletion:
        real = pkgutil.resolve_name(moment)

        def step(*arguments: Any, **named: Any) -> Any:
            if not after:
                begin()
            try:
                return real(*arguments, **named)
            finally:
                if after:
                    begin()

        monkeypatch.setattr(CloudLock, "try_acquire", try_acquire)
        monkeypatch.setattr(moment, step)
        return deletion

    return arrange


@pytest.mark.faults
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_forced_deletion_at_any_moment_of_a_backup_leaves_no_lock_file(
    deleted_at: Any, volume: Any, array: Any, moment: str, after: bool
) -> None:
    deletion = deleted_at(moment, after)
    cloud = deletion.cloud
    with suppress(exception.BackupNotFound):  # the fixture reads the record in the end
        cloud.create_backup(volume)
    if deletion.ident is None:
        deletion.start()  # only a failure would have led to that step
    deletion.join(60)
    assert not deletion.is_alive()
    assert deletion.failure is None
    assert list(cloud.backups.get_all(cloud.context)) == []
    assert array.names == []
    assert lock_files(cloud) == []


def test_a_backup_that_was_deleted_before_its_turn_leaves_no_lock_file(
    cloud: Any, volume: Any
) -> None:
    from cinder import objects

    from datera_backup.driver import DateraBackupDriver

    record = objects.Backup(
        cloud.context,
        volume_id=volume.id,
        user_id="user",
        project_id=cloud.context.project_id,
        status="deleting",
        host="testhost",
        size=1,
    )
    record.create()
    stale = cloud.backup(record.id)
    record.destroy()
    with open(cloud._file(volume), "rb") as file:
        DateraBackupDriver(cloud.context).backup(stale, file)
    assert lock_files(cloud) == []


def test_operation_on_a_deleted_container_leaves_no_lock_file(cloud: Any, volume: Any) -> None:
    from datera_backup.driver import DateraBackupDriver

    backup = cloud.create_backup(volume)
    stale = cloud.backup(backup.id)
    assert lock_files(cloud)
    assert cloud.delete_backup(backup) is None
    driver = DateraBackupDriver(cloud.context)
    for asking in (
        lambda: driver.verify(stale, lambda _done, _all: None),
        lambda: driver.stored_size(stale),
        lambda: driver.holds(stale),
        lambda: driver.remove_orphan(stale.container),
        lambda: driver.backend.attachments.extend_if_unused(stale.container, 5),
        lambda: driver.backend.attachments.delete(stale.container),
    ):
        with suppress(exception.BackupDriverException):
            asking()
        assert lock_files(cloud) == []


def test_a_container_that_goes_while_it_is_read_leaves_no_lock_file(
    cloud: Any, volume: Any, array: Any
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers
    from datera_backup.storage.locks import remove_locks

    backup = cloud.create_backup(volume)
    backend = DateraBackupDriver(cloud.context).backend
    with containers.opened(backend.attachments, backup.container):
        # As another host would, for which this one took too long.
        ai = backend.tenant.set_offline(backend.tenant.app_instance(backup.container))
        backend.tenant.delete_app_instance(ai)
        remove_locks(backup.container)
    assert array.names == []
    assert lock_files(cloud) == []
