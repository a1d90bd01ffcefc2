# SPDX-License-Identifier: Apache-2.0
"""From Cinder's API to the cluster: what Cinder's managers make of the driver's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cinder import context, objects

from datera_emulator import Emulator
from datera_emulator.target import brick

pytestmark = [pytest.mark.release, pytest.mark.long]

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
POSIX = """\
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_posix_path = {directory}
"""


@pytest.fixture
def this_host() -> Iterator[None]:
    brick.install("iqn.1994-05.com.redhat:cinder")
    yield
    brick.uninstall()


def write(emulator: Emulator, app_instance: Any, data: bytes) -> None:
    ((_storage, volume),) = app_instance.volumes()
    with open(emulator.cluster.files.path(volume.file), "r+b") as file:
        file.write(data)


def read(emulator: Emulator, app_instance: Any) -> bytes:
    ((_storage, volume),) = app_instance.volumes()
    with open(emulator.cluster.files.path(volume.file), "rb") as file:
        return file.read(4)


def test_a_volume_is_managed_attached_twice_reverted_and_unmanaged(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    manager, driver = service.volume_manager, service.volume_manager.driver
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    storage = {"name": "disks", "volumes": [{"name": "data", "size": 1.5}]}
    driver.cluster._session.request(
        "POST", "/app_instances", body={"name": "legacy", "storage_instances": [storage]}
    )
    (entry,) = manager.get_manageable_volumes(service.context, None, 10, 0, ["size"], ["asc"])
    assert entry["safe_to_manage"]
    volume = objects.Volume(
        service.context,
        size=0,
        display_name="legacy",
        status="creating",
        host=f"{manager.host}#Datera",
        project_id=service.context.project_id,
        user_id=service.context.user_id,
        volume_type_id=shared.id,
        multiattach=True,
    )
    volume.create()
    manager.manage_existing(service.context, volume, entry["reference"])
    volume = service.volume(volume.id)
    assert (volume.status, volume.size) == ("available", 2)
    assert stored(volume).metadata["cinder_id"] == volume.id

    attachments = [hosts(service).attach(volume, host) for host in ("one", "two")]
    ((target, _inside),) = stored(volume).volumes()
    assert len(target.initiators) == 2
    for attachment in attachments:
        hosts(service).detach(attachment)
    assert (target.initiators, stored(volume).admin_state) == ([], "offline")

    write(emulator, stored(volume), b"then")
    snapshot = service.create_snapshot(volume)
    write(emulator, stored(volume), b"now!")
    service.volumes.revert_to_snapshot(service.context, service.volume(volume.id), snapshot)
    assert service.volume(volume.id).status == "available"
    assert read(emulator, stored(volume)) == b"then"

    service.volumes.delete_snapshot(service.context, snapshot)
    service.volumes.delete(service.context, service.volume(volume.id), unmanage_only=True)
    assert [ai.name for ai in emulator.cluster.app_instances.values()] == [f"UNMANAGED-{volume.id}"]


@pytest.mark.usefixtures("this_host")
def test_a_volume_in_use_is_backed_up_from_a_snapshot_and_nothing_is_left(
    start_datera: StartDatera,
    emulator: Emulator,
    stored: Stored,
    hosts: Any,
    tmp_path: Path,
) -> None:
    service = start_datera(
        "backup_use_temp_snapshot = True\n", defaults=POSIX.format(directory=tmp_path / "posix")
    )
    volume = service.create_volume(1)
    hosts(service).attach(volume, "one")
    ((target, _inside),) = stored(volume).volumes()
    context = service.context
    backup = service.backups.create(context, "nightly", "", volume.id, None, force=True)
    backup = service.backup(backup.id)
    assert backup.status == "available", (backup.fail_reason, service.failures)
    assert [ai.name for ai in emulator.cluster.app_instances.values()] == [f"OS-{volume.id}"]
    ((_target, inside),) = stored(volume).volumes()
    assert inside.snapshots == {}
    assert len(target.initiators) == 1
    assert service.volume(volume.id).status == "in-use"


def test_a_volume_accepted_by_another_project_goes_on_working(
    start_datera: StartDatera, stored: Stored, hosts: Any, emulator: Emulator
) -> None:
    from cinder.transfer import api as transfer_api

    service = start_datera("datera_tenant_id = Map\n")
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    transfers = transfer_api.API()
    offered = transfers.create(service.context, volume.id, "a gift")
    stranger = context.RequestContext("other", "0" * 32, is_admin=True, roles=["admin"])
    transfers.accept(stranger, offered["id"], offered["auth_key"])
    volume = service.volume(volume.id)
    assert (volume.project_id, volume.status) == ("0" * 32, "available")
    assert stored(volume).tenant == f"/root/OS-{service.context.project_id}"
    hosts(service).detach(hosts(service).attach(volume, "one"))
    snapshot = objects.Snapshot.get_by_id(stranger, snapshot.id)
    service.volumes.delete_snapshot(stranger, snapshot)
    service.volumes.delete(stranger, service.volume(volume.id))
    assert emulator.cluster.app_instances == {}


def test_the_lifecycle_of_a_group_of_two(start_datera: StartDatera, emulator: Emulator) -> None:
    from cinder.volume import group_types

    service = start_datera()
    manager, admin = service.volume_manager, service.context
    made = group_types.create(
        admin, "consistent", {"consistent_group_snapshot_enabled": "<is> True"}
    )
    gold = service.create_volume_type("gold", {})
    owner = {"project_id": admin.project_id, "user_id": admin.user_id}
    group = objects.Group(
        admin,
        name="database",
        group_type_id=made["id"],
        volume_type_ids=[gold.id],
        host=manager.host,
        status="creating",
        **owner,
    )
    group.create()
    manager.create_group(admin, group)
    volumes = [service.create_volume(1, volume_type=gold) for _ in range(2)]
    for volume in volumes:
        volume.update({"group_id": group.id})
        volume.save()
    taken = objects.GroupSnapshot(
        admin, group_id=group.id, group_type_id=made["id"], status="creating", **owner
    )
    taken.create()
    for volume in volumes:
        objects.Snapshot(
            admin,
            volume_id=volume.id,
            volume_size=1,
            group_snapshot_id=taken.id,
            status="creating",
            **owner,
        ).create()
    manager.create_group_snapshot(admin, taken)
    snapshots = objects.SnapshotList.get_all_for_group_snapshot(admin, taken.id)
    assert {snapshot.status for snapshot in snapshots} == {"available"}
    kept = [
        [one.uuid for one in inside.snapshots.values()]
        for ai in emulator.cluster.app_instances.values()
        for _storage, inside in ai.volumes()
    ]
    assert sorted(kept) == sorted([snapshot.id] for snapshot in snapshots)
    manager.delete_group_snapshot(admin, taken)
    manager.delete_group(admin, group)
    assert emulator.cluster.app_instances == {}


def test_a_start_over_attached_volumes_asks_nothing_about_them(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    for number in range(3):
        hosts(service).attach(service.create_volume(1), f"host-{number}")
    emulator.cluster.counters.reset()
    for volume in objects.VolumeList.get_all(service.context):
        service.volume_manager.driver.ensure_export(service.context, volume)
    assert emulator.cluster.counters.requests.total() == 0
