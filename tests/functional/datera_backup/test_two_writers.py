# SPDX-License-Identifier: Apache-2.0
"""Hosts that do not see one another's locks: what is written is not written over."""

from __future__ import annotations

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
    """Another host that has begun a backup in a container, and is at it or has died."""
    from cinder import objects

    from datera_backup import containers, record
    from datera_backup.container import Geometry, NewBackup
    from datera_backup.driver import DateraBackupDriver

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
            record.claim(other, "/root", parent.container)
        attachments = DateraBackupDriver(cloud.context).backend.attachments
        with containers.opened(attachments, parent.container, writable=True) as container:
            container.begin(
                NewBackup(UUID(other.id), parent.volume_id, MIB, Geometry()),
                living=container.committed,
            )
        return other

    return begin


@pytest.mark.parametrize("status", ["creating", "deleting", None])
def test_what_may_still_be_written_is_left_alone(
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


def test_a_backup_that_loses_its_lock_ends_and_touches_nothing_more(
    cloud: Any, content: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup import progress, writing
    from datera_backup.container import Container
    from datera_backup.errors import LockLost
    from datera_backup.locks import CloudLock

    full = cloud.create_backup(volume)
    expected = content(volume)
    dropped: list[Any] = []

    def lost(_lock: Any) -> None:
        raise LockLost("the lease has run out")

    with monkeypatch.context() as patched:
        patched.setattr(CloudLock, "require", lost)
        patched.setattr(Container, "drop", lambda *a: dropped.append(a))
        patched.setattr(writing, "run", lambda job, watch: progress.run(job, watch, 0))
        second = cloud.create_backup(volume, incremental=True)
    assert second.status == "error"
    assert second.fail_reason == "the lease has run out"
    assert dropped == []
    assert content(cloud.restore_backup(full)) == expected
    assert cloud.delete_backup(second) is None
    assert cloud.create_backup(volume, incremental=True).status == "available"


@pytest.mark.parametrize("hosts", [1, 2])
def test_hosts_that_cannot_see_one_anothers_locks_are_named_once(
    cloud: Any, volume: Any, caplog: pytest.LogCaptureFixture, hosts: int
) -> None:
    from datera_backup.neighbours import Warnings

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
