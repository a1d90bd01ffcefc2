# SPDX-License-Identifier: Apache-2.0
"""What drivers do in a tenant, on every API version and on products before and after 3.3."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from datera_emulator import Emulator, Switches
from datera_volume import connection
from datera_volume.connection import AppInstance, Cluster, NewAppInstance, Tenant

IQN = "iqn.1994-05.com.redhat:host-1"
OTHER = "iqn.1994-05.com.redhat:host-2"

Case = tuple[str, str]


@pytest.fixture(
    params=[("2.1", "3.2.0.0"), ("2.2", "3.2.0.0"), ("2.2", "3.3.0.0"), ("2.3", "3.3.0.0")]
)
def tenant(
    request: pytest.FixtureRequest,
    start_emulator: Callable[..., Emulator],
    connect: Callable[..., Cluster],
) -> Tenant:
    """A tenant below the root, on each supported pair of API and product."""
    api, product = request.param
    tenant = connect(start_emulator(sw_version=product), api_version=api).tenant("/root/cloud")
    tenant.ensure()
    return tenant


def new(name: str = "OS-1", **fields: Any) -> NewAppInstance:
    return NewAppInstance(**{"name": name, "size_gib": 1, "uuid": str(uuid.uuid4()), **fields})


def test_a_new_one_is_as_wanted_and_closed(tenant: Tenant) -> None:
    wanted = new(size_gib=2, replica_count=2, placement_mode="all_flash", descr="Of test")
    tenant.create_app_instance(wanted)
    found = tenant.app_instance("OS-1")
    assert found.tenant == "/root/cloud"
    assert found.uuid == wanted.uuid
    assert found.descr == "Of test"
    assert (found.volume.size_gib, found.volume.replica_count) == (2, 2)
    assert found.volume.placement_mode == "all_flash"
    assert found.storage_instance.initiators == ()
    assert len(found.storage_instance.ips) == 2


def test_it_is_found_by_name_and_by_id_and_in_its_own_tenant_only(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())
    assert tenant.app_instance(made.id).name == "OS-1"
    root = Tenant(dataclasses.replace(tenant._adapter, tenant="/root"))
    with pytest.raises(connection.NotOnCluster):
        root.app_instance("OS-1")


def test_a_pattern_must_match_the_whole_name(tenant: Tenant) -> None:
    for name in ("OS-1", "OS-12", "xOS-1"):
        tenant.create_app_instance(new(name))
    assert [ai.name for ai in tenant.app_instances("OS-1")] == ["OS-1"]
    assert {ai.name for ai in tenant.app_instances()} == {"OS-1", "OS-12", "xOS-1"}


def test_a_name_that_is_taken_is_taken(tenant: Tenant) -> None:
    tenant.create_app_instance(new())
    with pytest.raises(connection.AlreadyOnCluster):
        tenant.create_app_instance(new())


def test_it_can_be_renamed_and_described(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())
    tenant.describe(tenant.rename(made, "OS-2"), "Something else")
    assert tenant.app_instance("OS-2").descr == "Something else"
    with pytest.raises(connection.NotOnCluster):
        tenant.app_instance("OS-1")


def test_online_is_when_it_can_be_used(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())
    assert not tenant.set_offline(made).online
    assert not tenant.app_instance("OS-1").available
    assert tenant.set_online(made).available
    assert tenant.app_instance("OS-1").available


def test_deleting_deletes_once(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())
    tenant.snapshot(made.volume, str(uuid.uuid4()))
    tenant.delete_app_instance(made)
    with pytest.raises(connection.NotOnCluster):
        tenant.delete_app_instance(made)


def test_a_volume_grows(tenant: Tenant) -> None:
    made = tenant.set_offline(tenant.create_app_instance(new()))
    tenant.resize_volume(made.volume, 3)
    assert tenant.app_instance("OS-1").volume.size_gib == 3


def test_a_value_out_of_bounds_is_refused(tenant: Tenant) -> None:
    with pytest.raises(connection.RequestInvalid):
        tenant.create_app_instance(new(replica_count=9))


def test_limits_are_set_changed_and_taken_away(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new(limits={"total_iops_max": 100}))
    for limits in ({"total_iops_max": 50}, {}, {}, {"read_iops_max": 7}):
        tenant.set_limits(made.volume, limits)


def test_a_snapshot_is_taken_once_under_its_uuid(tenant: Tenant) -> None:
    volume = tenant.create_app_instance(new()).volume
    uuids = [str(uuid.uuid4()) for _ in range(3)]
    taken = [tenant.snapshot(volume, one) for one in uuids]
    assert all(s.op_state == "available" for s in taken)
    assert tenant.snapshot(volume, uuids[1]) == taken[1]
    assert {s.uuid for s in tenant.snapshots(volume)} == set(uuids)
    tenant.delete_snapshot(volume, uuids[1])
    assert {s.uuid for s in tenant.snapshots(volume)} == {uuids[0], uuids[2]}
    with pytest.raises(connection.NotOnCluster):
        tenant.delete_snapshot(volume, uuids[1])


@pytest.mark.parametrize("kind", ["volume", "snapshot"])
def test_a_copy_is_complete_when_it_is_returned(tenant: Tenant, kind: Any) -> None:
    volume = tenant.create_app_instance(new()).volume
    path = volume.path if kind == "volume" else tenant.snapshot(volume, str(uuid.uuid4())).path
    copy = tenant.create_app_instance(new("OS-2", source_path=path, source_kind=kind))
    assert copy.op_state != "cloning"
    assert copy.volume.path != volume.path
    assert tenant.set_online(copy).available


def test_initiators_come_and_go_any_number_of_times(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())

    def allowed() -> tuple[str, ...]:
        return tenant.app_instance("OS-1").storage_instance.initiators

    for iqn in (IQN, IQN, OTHER):
        tenant.allow_initiator(made.storage_instance, iqn, "host (1)")
    assert sorted(allowed()) == [IQN, OTHER]
    for iqn in (IQN, IQN):
        tenant.deny_initiator(made.storage_instance, iqn)
    assert allowed() == (OTHER,)


def test_a_tenant_gets_an_initiator_of_its_own_beside_its_parents(tenant: Tenant) -> None:
    asking = tenant._adapter
    asking.session.request(
        "POST", "/initiators", tenant="/root", body={"id": IQN, "name": "parents"}
    )
    made = tenant.create_app_instance(new())
    tenant.allow_initiator(made.storage_instance, IQN, "host-1")
    assert tenant.app_instance("OS-1").storage_instance.initiators == (IQN,)
    assert asking.get(f"/initiators/{IQN}")["tenant"] == "/root/cloud"


def test_chap_is_set_and_taken_away(tenant: Tenant) -> None:
    storage = tenant.create_app_instance(new()).storage_instance
    tenant.set_chap(storage, "user", "secret-of-15-ch")
    assert tenant.app_instance("OS-1").storage_instance.auth_type == "chap"
    tenant.set_chap(storage, None, None)
    assert tenant.app_instance("OS-1").storage_instance.auth_type == "none"
    with pytest.raises(ValueError, match="12 to 16"):
        tenant.set_chap(storage, "user", "short")


def test_what_does_not_exist_is_not_on_the_cluster(tenant: Tenant) -> None:
    ghost = AppInstance("no-id", "OS-9", "/app_instances/no-id", tenant.path)
    nowhere = connection.Volume("volume-1", "/app_instances/no-id/storage_instances/s/volumes/v", 1)
    for call in (
        lambda: tenant.app_instance("OS-9"),
        lambda: tenant.set_online(ghost),
        lambda: tenant.set_offline(ghost),
        lambda: tenant.delete_app_instance(ghost),
        lambda: tenant.resize_volume(nowhere, 2),
        lambda: tenant.snapshots(nowhere),
        lambda: tenant.snapshot(nowhere, str(uuid.uuid4())),
        lambda: tenant.allow_initiator(nowhere, IQN, "host"),
        lambda: tenant.deny_initiator(nowhere, IQN),
    ):
        with pytest.raises(connection.NotOnCluster):
            call()


def test_an_id_cannot_change_the_request(tenant: Tenant) -> None:
    made = tenant.create_app_instance(new())
    for name in ("OS-1?x=y", "OS-1#", f"{made.id}/storage_instances", "..", "%2e%2e", "OS-1 "):
        with pytest.raises((connection.NotOnCluster, connection.RequestRefused)):
            tenant.app_instance(name)


def test_tenants_below_tenants_are_made_once(
    emulator: Emulator, connect: Callable[..., Cluster]
) -> None:
    cluster = connect(emulator)
    for _twice in range(2):
        cluster.tenant("/root/groot/sub").ensure()
    assert {"/root/groot", "/root/groot/sub"} <= set(emulator.cluster.tenants)


@pytest.mark.parametrize("match", ["search", "full"])
@pytest.mark.parametrize("product", ["3.2.0.0", "3.3.0.0"])
def test_a_long_list_is_whole_with_and_without_a_filter(
    start_emulator: Callable[..., Emulator],
    connect: Callable[..., Cluster],
    match: str,
    product: str,
) -> None:
    switches = Switches(largest_page=7, match=match)
    tenant = connect(start_emulator(sw_version=product, switches=switches)).tenant()
    for number in range(20):
        tenant.create_app_instance(new(f"OS-{number}-{number % 2}"))
    assert len(tenant.app_instances()) == 20
    assert len(tenant.app_instances("OS-.*-1")) == 10
