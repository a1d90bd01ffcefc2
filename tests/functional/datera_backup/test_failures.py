# SPDX-License-Identifier: Apache-2.0
"""Wherever a backup fails, the cluster holds nothing that no record names."""

from __future__ import annotations

import random
from typing import Any

import pytest

pytestmark = pytest.mark.faults

MIB = 2**20
STEPS = (
    "datera_backup.storage.containers.create",
    "datera_backup.container.container.Container.format",
    "datera_backup.container.container.Container.begin",
    "datera_backup.container.writer.BackupWriter.store",
    "datera_backup.container.writer.BackupWriter.commit",
    "datera_backup.operations.create_backup.BackupJob",
    "datera_backup.cinder_record.states_of",
    "datera_backup.storage.attachments.open_device",
    "datera_backup.storage.attachments.this_initiator",
    "datera_emulator.target.brick.FileConnector.connect_volume",
    "datera_volume.connection.Tenant.allow_initiator",
    "datera_volume.connection.Tenant.set_online",
)

APPENDING = [step for step in STEPS if not step.endswith(("format", "create"))]


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, noise(1, 2 * MIB))
    return made


def fail(*_arguments: Any, **_options: Any) -> Any:
    raise RuntimeError("injected")


@pytest.mark.parametrize("step", STEPS)
def test_a_full_backup_that_fails_at_any_step_leaves_an_empty_cluster(
    cloud: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(step, fail)
        backup = cloud.create_backup(volume)
    assert backup.status == "error"
    assert "injected" in backup.fail_reason
    assert array.names == []
    array.assert_quiet()
    assert cloud.volume(volume.id).status == "available"
    assert cloud.delete_backup(backup) is None
    again = cloud.create_backup(volume)
    assert again.status == "available"


@pytest.mark.parametrize(
    "step", [step for step in STEPS if not step.endswith(("format", "create"))]
)
def test_an_incremental_that_fails_at_any_step_leaves_the_chain_as_it_was(
    content: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    cloud = content.cloud
    full = cloud.create_backup(volume)
    expected = content(volume)
    cloud.write(volume, MIB, noise(2, 2 * MIB))
    with monkeypatch.context() as patched:
        patched.setattr(step, fail)
        backup = cloud.create_backup(volume, incremental=True)
    assert backup.status == "error"
    assert "injected" in backup.fail_reason
    assert array.names == [full.container]
    array.assert_quiet()
    assert content(cloud.restore_backup(full)) == expected
    assert cloud.delete_backup(backup) is None
    second = cloud.create_backup(volume, incremental=True)
    assert second.container == full.container
    assert content(cloud.restore_backup(second)) == content(volume)


def test_a_process_that_dies_leaves_what_the_record_names(
    cloud: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tooz.drivers.file import FileDriver

    from datera_backup.clean_up import CleanUp
    from datera_backup.operations import create_backup
    from datera_backup.storage import uses
    from datera_emulator.target import brick

    with monkeypatch.context() as patched:
        patched.setattr(create_backup, "run", fail)
        patched.setattr(CleanUp, "run", lambda self: self._steps.clear() or [])
        backup = cloud.create_backup(volume)
    assert array.names == [backup.container]
    # What the dead process had in memory and on the host is gone with it, its locks too.
    uses._USES.clear()
    FileDriver._barriers.clear()
    brick.uninstall()
    brick.install("iqn.1993-08.org.debian:01:testhost")
    cloud.restart_backup_manager()
    assert cloud.backup(backup.id).status == "error"
    assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_the_first_error_wins_over_those_of_the_clean_up(
    cloud: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import traceback

    from datera_volume.connection import Tenant

    def refuse(*_arguments: Any) -> None:
        raise RuntimeError("cannot delete")

    with monkeypatch.context() as patched:
        patched.setattr("datera_backup.operations.create_backup.BackupJob", fail)
        patched.setattr(Tenant, "delete_app_instance", refuse)
        backup = cloud.create_backup(volume)
    assert backup.fail_reason == "injected"
    text = "".join(traceback.format_exception(cloud.failures[-1]))
    assert "cannot delete" in text
    assert array.names == [backup.container]
    assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_a_failed_detach_is_logged_and_the_backup_is_good(
    content: Any,
    volume: Any,
    array: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from datera_emulator.target import brick

    cloud = content.cloud
    real = brick.FileConnector.disconnect_volume

    def disconnect(self: Any, *arguments: Any, **options: Any) -> None:
        real(self, *arguments, **options)
        raise RuntimeError("the flush failed")

    with monkeypatch.context() as patched:
        patched.setattr(brick.FileConnector, "disconnect_volume", disconnect)
        backup = cloud.create_backup(volume)
    assert backup.status == "available"
    assert "the flush failed" in caplog.text
    array.assert_quiet()
    assert content(cloud.restore_backup(backup)) == content(volume)
    assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_a_volume_that_is_gone_is_named(cloud: Any, volume: Any, array: Any) -> None:
    from cinder import exception, objects

    from datera_backup.driver import DateraBackupDriver

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
    path = cloud._file(volume)
    with open(path, "rb") as file:
        volume.destroy()
        with pytest.raises(exception.VolumeNotFound, match=volume.id):
            DateraBackupDriver(cloud.context).backup(record, file)
    assert array.names == []
    assert cloud.backup(record.id).service_metadata is None


def test_a_volume_that_shrinks_while_it_is_read_is_an_error(
    cloud: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup import container
    from datera_backup.operations import create_backup

    real = container.worst_case

    def shrink(*arguments: Any) -> int:
        with open(cloud._file(volume), "r+b") as file:
            file.truncate(MIB)
        return real(*arguments)

    monkeypatch.setattr(create_backup, "worst_case", shrink)
    backup = cloud.create_backup(volume)
    assert backup.status == "error"
    assert f"Volume {volume.id} should have " in backup.fail_reason
    assert f"ends at byte {MIB}" in backup.fail_reason
    assert array.names == []


def test_a_restore_that_cannot_write_says_so_and_detaches(
    cloud: Any, volume: Any, array: Any
) -> None:
    backup = cloud.create_backup(volume)
    small = cloud.create_volume(1, name="small")
    with open(cloud._file(small), "r+b") as file:
        file.truncate(MIB)
    restored = cloud.restore_backup(backup, small)
    assert restored.status == "error_restoring"
    assert f"Volume {small.id} to restore onto has {MIB} bytes" in str(cloud.failures[-1])
    array.assert_quiet()
