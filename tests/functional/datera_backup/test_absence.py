# SPDX-License-Identifier: Apache-2.0
"""What is not found is not gone: a container is gone when its tenant, asked twice, lacks it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20
NOT_FOUND = {"name": "NotFoundError", "message": "not found", "http": 404}
EMPTY = {"data": [], "metadata": {"total_count": 0, "limit": 100, "offset": 0}, "tenant": "/root"}


@pytest.fixture(scope="module")
def saved_backup(save_cloud: Any) -> tuple[Path, str]:
    """A cloud with a backup, and its identifier."""
    made = []

    def prepare(cloud: Any) -> None:
        volume = cloud.create_volume(1)
        cloud.write(volume, 0, random.Random(1).randbytes(2 * MIB))
        made.append(cloud.create_backup(volume))

    folder = save_cloud(prepare)
    assert made[0].status == "available", made[0].fail_reason
    return folder, made[0].id


@pytest.fixture
def beginning(request: pytest.FixtureRequest) -> Path | None:
    """The tests of the backup begin with it."""
    if "backup" not in request.fixturenames:
        return None
    folder: Path = request.getfixturevalue("saved_backup")[0]
    return folder


@pytest.fixture
def backup(cloud: Any, saved_backup: tuple[Path, str]) -> Any:
    return cloud.backup(saved_backup[1])


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def verified(cloud: Any, backup: Any) -> list[str]:
    lines: list[str] = driver_of(cloud).verify(backup, lambda _done, _of: None)
    return lines


def lose_each_request_in_turn(array: Any, times: int | None) -> Iterator[None]:
    """Let the cluster answer 404 from its k-th request on, for each k until none is left."""
    for number in range(1, 60):
        fault = array.emulator.faults.answer(
            404, NOT_FOUND, nth=number, times=times, path="(?!/login).*"
        )
        yield
        array.emulator.faults.clear()
        if not fault.hits:
            return
    raise AssertionError("it never ends")


@pytest.fixture
def other_tenant(cloud: Any, backup: Any) -> Any:
    """The options say another tenant than the backup was made in."""
    from oslo_config import cfg

    cfg.CONF.set_override("backup_datera_tenant_id", "/root/other")
    cloud.restart_backup_manager()
    yield "/root/other"
    cfg.CONF.clear_override("backup_datera_tenant_id")


@pytest.mark.usefixtures("other_tenant")
def test_backups_stay_in_use_after_a_change_of_the_tenant_option(
    cloud: Any, content: Any, backup: Any, array: Any
) -> None:
    driver, volume = driver_of(cloud), cloud.volume(backup.volume_id)
    assert driver.holds(backup) is True
    assert verified(cloud, backup) == []
    assert driver.export_record(backup)["tenant"] == "/root"
    assert content(cloud.restore_backup(backup)) == content(volume)
    cloud.write(volume, 0, b"changed")
    second = cloud.create_backup(volume, incremental=True)
    assert second.container == backup.container
    other = cloud.create_backup(volume)
    assert [ai.tenant for ai in array.instances] == ["/root", "/root/other"]
    for one in (second, backup, other):
        assert content(cloud.restore_backup(one))
        assert cloud.delete_backup(one) is None
    assert array.names == []


@pytest.mark.usefixtures("other_tenant")
def test_a_chain_goes_on_in_its_tenant_in_a_container_of_its_own(
    cloud: Any, content: Any, backup: Any, array: Any
) -> None:
    from datera_backup.storage.locks import writer_lock

    volume = cloud.volume(backup.volume_id)
    cloud.write(volume, 0, b"changed")
    lock = writer_lock(backup.container)
    assert lock.try_acquire()
    second = cloud.create_backup(volume, incremental=True)
    lock.release()
    assert second.container == f"backup-{second.id}"
    assert [ai.tenant for ai in array.instances] == ["/root", "/root"]
    assert content(cloud.restore_backup(second)) == content(volume)


@pytest.mark.usefixtures("other_tenant")
def test_a_record_is_imported_where_another_tenant_is_configured(
    cloud: Any, content: Any, backup: Any
) -> None:
    record = cloud.export_backup(backup)
    cloud.backup(backup.id).destroy()
    imported = cloud.import_backup(record)
    assert imported.status == "available", imported.fail_reason
    assert content(cloud.restore_backup(imported)) == content(cloud.volume(backup.volume_id))


def test_a_tenant_that_the_cluster_does_not_have_proves_nothing(
    start_cloud: Any, array: Any
) -> None:
    from datera_backup.errors import ContainerAbsenceUnproven

    cloud = start_cloud(backup_datera_tenant_id="/root/backups")
    backup = cloud.create_backup(cloud.create_volume(1))
    good = backup.service_metadata
    backup.service_metadata = good.replace("/root/backups", "/root/nowhere")
    backup.save()
    assert driver_of(cloud).holds(backup) is None
    with pytest.raises(ContainerAbsenceUnproven, match=r"no tenant /root/nowhere.*Check"):
        verified(cloud, backup)
    left = cloud.delete_backup(backup)
    assert left.status == "error"
    assert left.fail_reason.startswith(f"Unknown whether container {backup.container} is deleted")
    assert len(left.fail_reason) < 255
    assert "/root/nowhere" not in array.emulator.cluster.tenants
    assert array.names == [backup.container]
    left.service_metadata = good
    left.save()
    assert cloud.delete_backup(left) is None
    assert array.names == []


@pytest.mark.parametrize("times", [1, None])
def test_a_deletion_never_leaves_data_without_a_record(
    cloud: Any, backup: Any, array: Any, times: int | None
) -> None:
    for _ in lose_each_request_in_turn(array, times):
        left = cloud.delete_backup(backup)
        array.emulator.faults.clear()
        if left is None:
            assert array.names == []
            backup = cloud.create_backup(cloud.volume(backup.volume_id))
        else:
            assert left.fail_reason
            assert array.names in ([backup.container], [])
            backup = left


@pytest.mark.parametrize("times", [1, None])
def test_not_found_is_never_told_as_damage_nor_as_absence(
    cloud: Any, backup: Any, array: Any, times: int | None
) -> None:
    from datera_backup.errors import BackupFailed

    for _ in lose_each_request_in_turn(array, times):
        with suppress(BackupFailed):
            assert verified(cloud, backup) == []
        array.emulator.faults.clear()
        assert verified(cloud, backup) == []
    for _ in lose_each_request_in_turn(array, times):
        assert driver_of(cloud).holds(backup) in (True, None)
    assert verified(cloud, backup) == []


def test_one_list_without_the_container_is_not_enough(cloud: Any, backup: Any, array: Any) -> None:
    faults = array.emulator.faults
    faults.answer(404, NOT_FOUND, path=f"/app_instances/{backup.container}")
    lists = faults.answer(200, EMPTY, path="/app_instances", method="GET")
    assert driver_of(cloud).holds(backup) is True
    assert lists.hits == 1


def test_a_container_is_gone_when_two_lists_lack_it(cloud: Any, backup: Any, array: Any) -> None:
    from datera_backup.errors import ContainerGone

    attachments = driver_of(cloud).backend.attachments
    attachments.delete(backup.container)
    before = array.emulator.cluster.counters.of("GET", "/app_instances")
    with pytest.raises(ContainerGone):
        attachments.find(backup.container)
    assert array.emulator.cluster.counters.of("GET", "/app_instances") == before + 2
    assert driver_of(cloud).holds(backup) is False
    (line,) = verified(cloud, backup)
    assert line == (
        f"Container {backup.container} is not in tenant /root of "
        f"127.0.0.1:{array.emulator.https_port}"
    )
    assert cloud.delete_backup(backup) is None
