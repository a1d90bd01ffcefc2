# SPDX-License-Identifier: Apache-2.0
"""Volumes and snapshots, from Cinder's API down to what the cluster holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception, objects

from datera_emulator import Emulator, Switches
from datera_volume.connection import NewAppInstance

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder_service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


def unmade(service: CinderService, **fields: Any) -> Any:
    """A record of a volume that the driver has not made yet."""
    context = service.context
    record = {
        "size": 1,
        "project_id": context.project_id,
        "user_id": context.user_id,
        "status": "creating",
        "host": service.volume_manager.host,
        **fields,
    }
    if "volume_type_id" not in record:
        record["volume_type_id"] = service.create_volume_type("empty", {}).id
    volume = objects.Volume(context, **record)
    volume.create()
    return volume


def the_volume(app_instance: Any) -> Any:
    ((_storage, volume),) = app_instance.volumes()
    return volume


def the_storage(app_instance: Any) -> Any:
    ((storage, _volume),) = app_instance.volumes()
    return storage


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


def test_a_spec_that_cannot_be_read_is_refused_and_nothing_is_made(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    gold = service.create_volume_type("gold", {"DF:replica_count": "many"})
    volume = service.create_volume(1, volume_type=gold)
    assert volume.status == "error"
    assert emulator.cluster.app_instances == {}
    with pytest.raises(exception.InvalidVolumeType, match="DF:replica_count is 'many'"):
        service.volume_manager.driver.create_volume(volume)


def test_a_type_of_another_drivers_does_not_hold_up_a_volume_that_exists(
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
        driver.create_volume(unmade(service, volume_type_id=gold.id))


@pytest.mark.parametrize(
    ("setting", "tenant"),
    [
        ("Map", f"/root/OS-{'f' * 32}"),
        ("groot", "/root/groot"),
        ("/root/above/below", "/root/above/below"),
    ],
)
def test_volumes_lie_in_the_configured_tenant(
    start_datera: StartDatera, stored: Stored, setting: str, tenant: str
) -> None:
    service = start_datera(f"datera_tenant_id = {setting}\n")
    volume = service.create_volume(1)
    assert stored(volume).tenant == tenant
    service.delete_volume(volume)


def test_deleting_leaves_nothing(start_datera: StartDatera, emulator: Emulator) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.delete_volume(volume)
    assert emulator.cluster.app_instances == {}
    with pytest.raises(exception.VolumeNotFound):
        service.volume(volume.id)


def test_deleting_what_is_gone_succeeds_with_a_warning(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    gone(emulator, stored(volume))
    service.delete_volume(volume)
    with pytest.raises(exception.VolumeNotFound):
        service.volume(volume.id)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any(volume.id in text and "/root" in text for text in warnings)


def test_what_is_gone_is_named_by_everything_else(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    gone(emulator, stored(volume))
    other = unmade(service)
    connector = hosts.connector("one")
    calls: list[Callable[[], Any]] = [
        lambda: driver.extend_volume(volume, 2),
        lambda: driver.create_snapshot(snapshot),
        lambda: driver.create_cloned_volume(other, volume),
        lambda: driver.create_volume_from_snapshot(other, snapshot),
        lambda: driver.initialize_connection(volume, connector),
        lambda: driver.terminate_connection(volume, connector),
    ]
    for call in calls:
        with pytest.raises(exception.VolumeNotFound, match=f"Volume {volume.id} does"):
            call()
    driver.terminate_connection(volume, connector, force=True)
    driver.delete_snapshot(snapshot)


def gone(emulator: Emulator, app_instance: Any) -> None:
    with emulator.cluster.transaction():
        emulator.cluster.forget(app_instance)


def test_a_volume_that_the_cluster_will_not_delete_is_busy(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    refusal = {"name": "InvalidRequestError", "message": "It is in use."}
    emulator.faults.answer(400, refusal, method="DELETE", path="/app_instances/[^/]+")
    service.delete_volume(volume)
    assert service.volume(volume.id).status == "available"
    assert len(emulator.cluster.app_instances) == 1


def test_a_snapshot_that_the_cluster_will_not_delete_is_busy(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    snapshot = service.create_snapshot(service.create_volume(1))
    emulator.faults.answer(400, {"message": "It is in use."}, method="DELETE")
    service.volumes.delete_snapshot(service.context, snapshot)
    assert objects.Snapshot.get_by_id(service.context, snapshot.id).status == "available"


def test_snapshots_carry_cinders_id(
    start_datera: StartDatera, emulator: Emulator, stored: Stored
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    snapshots = [service.create_snapshot(volume) for _ in range(3)]
    assert {s.uuid for s in the_volume(stored(volume)).snapshots.values()} == {
        s.id for s in snapshots
    }
    # Again, as after a service that ended between the cluster's answer and Cinder's record.
    service.volume_manager.driver.create_snapshot(snapshots[0])
    assert len(the_volume(stored(volume)).snapshots) == 3
    for snapshot in snapshots[:2]:
        service.volumes.delete_snapshot(service.context, snapshot)
    assert [s.uuid for s in the_volume(stored(volume)).snapshots.values()] == [snapshots[2].id]
    service.volume_manager.driver.delete_snapshot(snapshots[0])


def test_extending_a_detached_volume(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera("datera_volume_type_defaults = iops_per_gb:10\n")
    volume = service.create_volume(1)
    service.volume_manager.extend_volume(service.context, volume, 3, [])
    assert service.volume(volume.id).size == 3
    assert the_volume(stored(volume)).size == 3
    assert the_volume(stored(volume)).performance_policy["total_iops_max"] == 30
    service.volume_manager.driver.extend_volume(volume, 3)
    assert the_volume(stored(volume)).size == 3


def test_limits_are_set_exactly(
    emulator: Emulator, connect: Any, start_datera: StartDatera, stored: Stored
) -> None:
    service = start_datera()
    specs = {"DF:read_iops_max": "100", "DF:total_iops_max": "700"}
    volume = service.create_volume(1, volume_type=service.create_volume_type("gold", specs))
    tenant = connect(emulator).tenant()
    found = tenant.app_instance(f"OS-{volume.id}").volume
    for limits in ({"total_iops_max": 500}, {"write_bandwidth_max": 9}, {}):
        tenant.set_limits(found, limits)
        standing = the_volume(stored(volume)).performance_policy or {}
        assert {name: value for name, value in standing.items() if value} == limits


def test_a_product_that_resizes_only_offline_gets_it_offline_but_never_under_a_host(
    start_emulator: Callable[..., Emulator], start_cinder: StartDatera, hosts: Any
) -> None:
    emulator = start_emulator(switches=Switches(online_resize=False))
    service = start_cinder(
        backend=f"""\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_password = {emulator.password}
driver_use_ssl = False
datera_api_port = {emulator.http_port}
""",
        section="datera",
    )
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    driver.extend_volume(volume, 2)
    (found,) = emulator.cluster.app_instances.values()
    assert the_volume(found).size == 2
    hosts(service).attach(volume, "one")
    with pytest.raises(exception.VolumeBackendAPIException, match=volume.id):
        driver.extend_volume(volume, 3)
    (found,) = emulator.cluster.app_instances.values()
    assert (the_volume(found).size, found.admin_state) == (2, "online")


@pytest.mark.parametrize("source", ["volume", "snapshot"])
def test_a_copy_gets_its_own_types_policies_and_size(
    start_datera: StartDatera,
    emulator: Emulator,
    connect: Any,
    stored: Stored,
    hosts: Any,
    *,
    source: str,
) -> None:
    service = start_datera()
    connect(emulator)._link.ask("POST", "/access_network_ip_pools", body={"name": "fast-net"})
    plain = service.create_volume_type("plain", {"DF:replica_count": "1", "DF:iops_per_gb": "5"})
    gold = service.create_volume_type(
        "gold",
        {"DF:replica_count": "3", "DF:placement_mode": "all_flash", "DF:ip_pool": "fast-net"},
    )
    volume = service.create_volume(1, volume_type=plain)
    snapshot = service.create_snapshot(volume) if source == "snapshot" else None
    hosts(service).attach(volume, "one")
    wanted = {"snapshot": snapshot} if snapshot else {"source": service.volume(volume.id)}
    # The types differ, which Cinder's API allows only by way of the driver's own call.
    copy = unmade(service, size=3, volume_type_id=gold.id)
    driver = service.volume_manager.driver
    for _again in range(2):
        if snapshot:
            driver.create_volume_from_snapshot(copy, snapshot)
        else:
            driver.create_cloned_volume(copy, wanted["source"])
    found = stored(copy)
    assert (the_volume(found).size, the_volume(found).replica_count) == (3, 3)
    assert the_volume(found).placement_mode == "all_flash"
    assert not any((the_volume(found).performance_policy or {}).values())
    assert the_storage(found).initiators == []
    assert the_storage(found).ip_pool == "fast-net"
    assert the_volume(stored(volume)).size == 1
    assert the_storage(stored(volume)).initiators == [hosts.connector("one")["initiator"]]


def test_copies_as_a_user_makes_them(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    for copy in (
        service.create_volume(2, source=service.volume(volume.id)),
        service.create_volume(2, snapshot=snapshot),
    ):
        assert copy.status == "available"
        assert the_volume(stored(copy)).size == 2


@pytest.mark.parametrize("failing", ["/app_instances/.*/volumes/[^/]+", ".*/performance_policy"])
def test_a_half_made_copy_is_taken_back(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, failing: str
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    for method in ("PUT", "DELETE"):
        emulator.faults.answer(500, {"message": "broken"}, method=method, path=failing)
    copy = service.create_volume(2, source=service.volume(volume.id))
    assert copy.status == "error"
    assert list(emulator.cluster.app_instances.values()) == [stored(volume)]


def test_a_create_that_a_busy_cluster_never_took_is_not_waited_for_twice(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera("datera_503_timeout = 1\n")
    creates = emulator.faults.busy(None, method="POST", path="/app_instances")
    looks = emulator.faults.busy(None, method="GET", path="/app_instances/.*")
    with pytest.raises(exception.VolumeBackendAPIException, match="busy"):
        service.volume_manager.driver.create_volume(unmade(service))
    assert creates.hits > 1
    assert looks.hits == 1


def test_a_create_without_a_login_is_not_followed_by_another_login(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    emulator.cluster.tokens.revoke_all()
    refused = emulator.faults.answer(401, {"message": "No."}, path="/login", times=None)
    with pytest.raises(exception.VolumeBackendAPIException, match="refused to log in"):
        service.volume_manager.driver.create_volume(unmade(service))
    assert refused.hits == 1


def test_creating_again_what_is_there_finds_it(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.volume_manager.driver.create_volume(volume)
    assert len(emulator.cluster.app_instances) == 1


def test_something_elses_name_is_neither_taken_nor_deleted(
    start_datera: StartDatera, emulator: Emulator, connect: Any
) -> None:
    service = start_datera()
    volume = unmade(service)
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
