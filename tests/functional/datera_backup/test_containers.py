# SPDX-License-Identifier: Apache-2.0
"""Which container a backup goes into, and what happens to it there."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

MIB = 2**20


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, noise(1, MIB))
    return made


@pytest.fixture
def needs(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how many bytes a backup may need at most, whatever the volume's size."""
    from datera_backup.operations import create_backup

    def set_worst_case(size: int) -> None:
        monkeypatch.setattr(create_backup, "worst_case", lambda *_a: size)

    return set_worst_case


def test_a_container_is_made_as_the_options_say(start_cloud: Any, array: Any) -> None:
    cloud = start_cloud(backup_datera_replica_count=2, backup_datera_placement_mode="all_flash")
    backup = cloud.create_backup(cloud.create_volume(1))
    ((_, volume),) = array.instances[0].volumes()
    assert (volume.replica_count, volume.size) == (2, 1)
    assert array.instances[0].tenant == "/root"
    assert backup.volume_id in array.instances[0].descr


def test_containers_live_in_the_tenant_of_the_options(start_cloud: Any, array: Any) -> None:
    cloud = start_cloud(backup_datera_tenant_id="/root/backups")
    volume = cloud.create_volume(1)
    backup = cloud.create_backup(volume)
    assert [ai.tenant for ai in array.instances] == ["/root/backups"]
    assert cloud.restore_backup(backup).status == "available"
    assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_a_container_name_of_the_user_is_written_down_and_adopts_nothing(
    cloud: Any, volume: Any, array: Any
) -> None:
    from datera_backup.cinder_record import location_of
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers
    from datera_volume.connection import NewAppInstance

    backend = DateraBackupDriver(cloud.context).backend
    theirs = backend.tenant.create_app_instance(
        NewAppInstance(name="production", size_gib=1, descr="A database")
    )
    backend.tenant.set_offline(theirs)
    backup = cloud.create_backup(volume, container="production")
    assert backup.container == f"backup-{backup.id}"
    assert array.names == ["production", backup.container]
    assert array.instances[1].descr.endswith(" named production")
    location = location_of(backup)
    assert location
    with containers.opened(backend.attachments, backup.container) as container:
        commit = container.commit_of(location.backup_id)
    assert commit.metadata["container_label"] == "production"
    assert cloud.delete_backup(backup) is None
    assert array.names == ["production"]
    assert backend.tenant.app_instance("production").volume.size_gib == 1


def test_an_app_instance_of_our_name_is_left_alone(
    cloud: Any, volume: Any, array: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup import naming
    from datera_backup.driver import DateraBackupDriver
    from datera_volume.connection import NewAppInstance

    backend = DateraBackupDriver(cloud.context).backend
    name = "backup-6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
    theirs = backend.tenant.create_app_instance(
        NewAppInstance(name=name, size_gib=1, descr="A database")
    )
    backend.tenant.set_offline(theirs)
    monkeypatch.setattr(naming, "container_name", lambda _id: name)
    backup = cloud.create_backup(volume)
    assert backup.status == "error"
    assert "is not touched" in backup.fail_reason
    assert array.names == [name]
    assert array.instances[0].descr == "A database"


def test_a_container_is_extended_while_nobody_uses_it(
    cloud: Any, content: Any, volume: Any, array: Any, needs: Any
) -> None:
    full = cloud.create_backup(volume)
    assert array.size_gib(full.container) == 1
    needs(1100 * MIB)
    cloud.write(volume, 2 * MIB, noise(2, MIB))
    second = cloud.create_backup(volume, incremental=True)
    assert second.container == full.container
    assert array.size_gib(full.container) == 3
    assert content(cloud.restore_backup(second)) == content(volume)


def test_what_may_exceed_the_limit_starts_a_container_that_refers_to_the_older(
    start_cloud: Any, array: Any, needs: Any
) -> None:
    cloud = start_cloud(backup_datera_container_max_size=1)
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, noise(1, MIB))
    full = cloud.create_backup(volume)
    needs(1023 * MIB)
    cloud.write(volume, 2 * MIB, noise(2, MIB))
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "available"
    assert second.container == f"backup-{second.id}"
    assert array.names == [full.container, second.container]
    assert array.data_file(second.container).stat().st_blocks * 512 < 2 * MIB

    restored = cloud.restore_backup(second)
    assert cloud.first_difference(restored, volume) is None
    assert cloud.delete_backup(second) is None
    assert array.names == [full.container]
    assert cloud.delete_backup(full) is None
    assert array.names == []


def test_a_volume_that_may_exceed_the_limit_is_refused_before_anything_is_made(
    start_cloud: Any, array: Any, needs: Any
) -> None:
    cloud = start_cloud(backup_datera_container_max_size=1)
    needs(1025 * MIB)
    backup = cloud.create_backup(cloud.create_volume(1))
    assert backup.status == "error"
    assert "backup_datera_container_max_size allows 1" in backup.fail_reason
    assert array.names == []
    assert backup.service_metadata is None
    assert cloud.delete_backup(backup) is None


def test_while_somebody_writes_to_the_parents_container_a_new_one_is_started(
    cloud: Any, content: Any, volume: Any, array: Any
) -> None:
    from datera_backup.storage.locks import writer_lock

    full = cloud.create_backup(volume)
    lock = writer_lock(full.container)
    assert lock.try_acquire()
    cloud.write(volume, 2 * MIB, noise(2, MIB))
    second = cloud.create_backup(volume, incremental=True)
    lock.release()
    assert second.container == f"backup-{second.id}"
    third = cloud.create_backup(volume, incremental=True)
    assert third.container == second.container
    assert content(cloud.restore_backup(third)) == content(volume)
    for backup in (third, second, full):
        assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_while_somebody_reads_a_container_is_appended_to_but_not_extended(
    cloud: Any, content: Any, volume: Any, array: Any, needs: Any
) -> None:
    from datera_backup.driver import DateraBackupDriver

    full = cloud.create_backup(volume)
    attachments = DateraBackupDriver(cloud.context).backend.attachments
    with attachments.opened(full.container):
        second = cloud.create_backup(volume, incremental=True)
        needs(1100 * MIB)
        third = cloud.create_backup(volume, incremental=True)
    assert second.container == full.container
    assert third.container == f"backup-{third.id}"
    assert array.size_gib(full.container) == 1
    assert content(cloud.restore_backup(third)) == content(volume)


def test_an_incremental_keeps_the_block_size_of_its_full_backup(
    cloud: Any, content: Any, volume: Any
) -> None:
    from oslo_config import cfg

    cloud.create_backup(volume)
    cfg.CONF.set_override("backup_datera_block_size", 256)
    cloud.write(volume, 3 * MIB, noise(3, 1000))
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "available"
    assert content(cloud.restore_backup(second)) == content(volume)


def test_a_chain_keeps_its_digest_until_a_full_backup_begins_a_new_one(
    cloud: Any, content: Any, volume: Any, attachments: Any
) -> None:
    from oslo_config import cfg

    from datera_backup.container import BackupReader, Commit, Digest
    from datera_backup.storage import containers

    def commit_of(backup: Any) -> Commit:
        with containers.opened(attachments, backup.container) as container:
            return BackupReader(container, UUID(backup.id)).commit

    cfg.CONF.set_override("backup_datera_digest", "sha256")
    old = cloud.create_backup(volume)
    # As an upgrade to other defaults.
    cfg.CONF.clear_override("backup_datera_digest")
    cloud.write(volume, MIB // 2, noise(3, 1000))
    child = cloud.create_backup(volume, incremental=True)
    restored = cloud.restore_backup(child)
    assert content(restored) == content(volume)
    new = cloud.create_backup(volume)
    commits = [commit_of(backup) for backup in (old, child, new)]
    assert [commit.geometry.digest for commit in commits] == [
        Digest.SHA256,
        Digest.SHA256,
        Digest.BLAKE3,
    ]
    # The rest is the parent's: digests of another kind would all have differed.
    assert commits[1].statistics.new_blocks == 1


def test_an_incremental_whose_parent_is_gone_says_so(cloud: Any, volume: Any, array: Any) -> None:
    from datera_backup.driver import DateraBackupDriver

    full = cloud.create_backup(volume)
    DateraBackupDriver(cloud.context).backend.attachments.delete(full.container)
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "error"
    assert "take a full backup" in second.fail_reason
    assert array.names == []
    assert cloud.delete_backup(second) is None


def test_an_incremental_of_another_drivers_backup_says_so(cloud: Any, volume: Any) -> None:
    full = cloud.create_backup(volume)
    container, metadata = full.container, full.service_metadata
    full.container, full.service_metadata = "volumebackups", "volume_1/2"
    full.save()
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "error"
    assert "not a record of the Datera driver" in second.fail_reason
    full.container, full.service_metadata = container, metadata
    full.save()
