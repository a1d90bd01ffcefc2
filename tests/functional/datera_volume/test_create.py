# SPDX-License-Identifier: Apache-2.0
"""Creating volumes, from Cinder's API down to what the cluster holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_volume.connection import NewAppInstance
from tests.fixtures.datera.stored_objects import the_storage, the_volume
from tests.fixtures.datera.volume_records import new_record

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


def test_a_volume_without_a_type(start_datera: StartDatera, stored: Stored) -> None:
    volume = start_datera().create_volume(2, name="A database, maybe")
    assert volume.status == "available"
    found = stored(volume)
    assert (found.name, found.tenant) == (f"OS-{volume.id}", "/root")
    assert (found.uuid, found.create_mode) == (volume.id, "openstack")
    assert (the_volume(found).size, the_volume(found).replica_count) == (2, 3)
    assert the_volume(found).performance_policy is None
    assert the_storage(found).access_control_mode == "deny_all"
    assert the_storage(found).initiators == []


def test_a_volume_of_a_type(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera()
    specs = {
        "DF:replica_count": "2",
        "DF:placement_mode": "all_flash",
        "DF:total_iops_max": "500",
        "DF:bandwidth_per_gb": "100",
        "other:thing": "x",
    }
    volume = service.create_volume(2, volume_type=service.create_volume_type("gold", specs))
    found = the_volume(stored(volume))
    assert found.replica_count == 2
    assert found.placement_mode == "all_flash"
    limits = {name: value for name, value in found.performance_policy.items() if value}
    assert limits == {"total_iops_max": 500, "total_bandwidth_max": 200}


@pytest.mark.parametrize(("without", "requests"), [("False", 2), ("True", 1)])
def test_a_create_costs_one_request_and_another_for_its_metadata(
    start_datera: StartDatera, stored: Stored, emulator: Emulator, without: str, requests: int
) -> None:
    service = start_datera(f"datera_disable_extended_metadata = {without}\n")
    emulator.cluster.counters.reset()
    volume = service.create_volume(1, name="A database")
    assert emulator.cluster.counters.requests.total() == requests
    words = stored(volume).metadata
    assert words.get("display_name") == (None if requests == 1 else "A database")


def test_type_defaults_apply_without_a_type(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera("datera_volume_type_defaults = replica_count:1,iops_per_gb:10\n")
    found = the_volume(stored(service.create_volume(3)))
    assert found.replica_count == 1
    assert found.performance_policy["total_iops_max"] == 30


def test_an_invalid_spec_is_refused_and_nothing_is_created(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    gold = service.create_volume_type("gold", {"DF:replica_count": "many"})
    volume = service.create_volume(1, volume_type=gold)
    assert volume.status == "error"
    assert emulator.cluster.app_instances == {}
    with pytest.raises(exception.InvalidVolumeType, match="DF:replica_count is 'many'"):
        service.volume_manager.driver.create_volume(volume)


def test_another_drivers_type_does_not_block_an_existing_volume(
    start_datera: StartDatera, stored: Stored, hosts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from cinder.db import api as db

    service = start_datera()
    gold = service.create_volume_type("gold", {"DF:iops_per_gb": "10"})
    volume = service.create_volume(1, volume_type=gold)
    specs = {"DF:tier": "gold", "DF:replica_count": "many", "DF:round_robin": "maybe"}
    db.volume_type_extra_specs_update_or_create(service.context, gold.id, specs)
    hosts(service).attach(volume, "one")
    assert stored(volume).admin_state == "online"
    driver = service.volume_manager.driver
    driver.extend_volume(service.volume(volume.id), 2)
    assert the_volume(stored(volume)).size == 2
    assert the_volume(stored(volume)).performance_policy["total_iops_max"] == 20
    specs = {"DF:total_iops_max": "all"}
    db.volume_type_extra_specs_update_or_create(service.context, gold.id, specs)
    driver.extend_volume(service.volume(volume.id), 3)
    assert the_volume(stored(volume)).size == 3
    assert the_volume(stored(volume)).performance_policy["total_iops_max"] == 20
    warnings = "\n".join(r.getMessage() for r in caplog.records if r.levelname == "WARNING")
    for spec in ("DF:tier", "DF:round_robin is 'maybe'", "DF:total_iops_max is 'all'"):
        assert spec in warnings
    with pytest.raises(exception.InvalidVolumeType, match="DF:tier"):
        driver.create_volume(new_record(service, volume_type_id=gold.id))


@pytest.mark.parametrize(
    ("setting", "tenant"),
    [
        ("Map", f"/root/OS-{'f' * 32}"),
        ("groot", "/root/groot"),
        ("/root/above/below", "/root/above/below"),
    ],
)
def test_volumes_are_created_in_the_configured_tenant(
    start_datera: StartDatera, stored: Stored, setting: str, tenant: str
) -> None:
    service = start_datera(f"datera_tenant_id = {setting}\n")
    volume = service.create_volume(1)
    assert stored(volume).tenant == tenant
    service.delete_volume(volume)


def test_a_create_refused_by_a_busy_cluster_is_rolled_back_without_waiting(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera("datera_503_timeout = 1\n")
    creates = emulator.faults.busy(None, method="POST", path="/app_instances")
    looks = emulator.faults.busy(None, method="GET", path="/app_instances/.*")
    with pytest.raises(exception.VolumeBackendAPIException, match="busy"):
        service.volume_manager.driver.create_volume(new_record(service))
    assert creates.hits > 1
    assert looks.hits == 1


def test_a_create_without_a_login_is_not_followed_by_another_login(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    emulator.cluster.tokens.revoke_all()
    refused = emulator.faults.answer(401, {"message": "No."}, path="/login", times=None)
    with pytest.raises(exception.VolumeBackendAPIException, match="refused to log in"):
        service.volume_manager.driver.create_volume(new_record(service))
    assert refused.hits == 1


def test_creating_an_existing_volume_again_finds_it(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.volume_manager.driver.create_volume(volume)
    assert len(emulator.cluster.app_instances) == 1


def test_a_foreign_app_instance_of_that_name_is_neither_used_nor_deleted(
    start_datera: StartDatera, emulator: Emulator, connect: Any
) -> None:
    service = start_datera()
    volume = new_record(service)
    connect(emulator).tenant().create_app_instance(
        NewAppInstance(name=f"OS-{volume.id}", size_gib=1, create_mode="normal")
    )
    with pytest.raises(exception.VolumeBackendAPIException):
        service.volume_manager.driver.create_volume(volume)
    assert len(emulator.cluster.app_instances) == 1


def test_volumes_of_cinders_in_tree_driver_are_found_and_usable(
    start_datera: StartDatera, emulator: Emulator, connect: Any, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume, decoy = service.create_volume(1), service.create_volume(1)
    tenant = connect(emulator).tenant()
    tenant.rename(tenant.app_instance(f"OS-{volume.id}"), f"OS-db-{volume.id}")
    # The in-tree driver's name of a volume that somebody named after the other's id.
    tenant.rename(tenant.app_instance(f"OS-{decoy.id}"), f"OS-{volume.id}"[:26] + f"-{decoy.id}")
    # Somebody else's, which only looks like one.
    stranger = tenant.create_app_instance(
        NewAppInstance(name=f"OS-x{volume.id}", size_gib=1, descr="A stranger")
    )
    attachment = hosts(service).attach(volume, "one")
    assert the_storage(stored(volume)).initiators == [hosts.connector("one")["initiator"]]
    hosts(service).detach(attachment)
    service.volume_manager.driver.extend_volume(volume, 2)
    assert the_volume(stored(volume)).size == 2
    service.delete_volume(volume)
    assert {ai.name for ai in emulator.cluster.app_instances.values()} == {
        stranger.name,
        stored(decoy).name,
    }
