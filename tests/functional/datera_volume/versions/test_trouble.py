# SPDX-License-Identifier: Apache-2.0
"""What may come in between: a refused change, a lost permission, a neighbour at the same volume."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from typing import Any

import pytest
from cinder import exception

from datera_volume.connection import Tenant

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
OTHER = {"initiator": "iqn.1994-05.com.redhat:two", "host": "two"}
VOLUME = "/app_instances/.*/volumes/volume-1"
LIMITS = (
    "/app_instances/:id/storage_instances/:storage_instance_name"
    "/volumes/:volume_name/performance_policy"
)
ACL = "/app_instances/:id/storage_instances/:storage_instance_name/acl_policy"


def test_a_resize_that_fails_leaves_the_volume_as_large_and_as_online_as_it_was(old: Any) -> None:
    volume = old.volume()
    # The first is refused because it is online; the second fails while it is switched off for it.
    old.emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=VOLUME, nth=2)
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        old.driver.extend_volume(volume, 2)
    found, storage, inside = old.stored(volume)
    assert (found.admin_state, inside.size) == ("online", 1)
    assert storage.admin_state == "online"


@pytest.mark.parametrize("change", ["extend", "retype"])
def test_who_comes_while_a_volume_is_changed_offline_waits_and_is_not_cut_off(
    old: Any, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    volume = old.volume()
    driver, gold = old.driver, old.volume_type(replica_count="4")
    changing, go_on = threading.Event(), threading.Event()
    set_offline = Tenant.set_offline

    def slowly(tenant: Tenant, ai: Any, **how: Any) -> Any:
        changing.set()
        go_on.wait(10)
        return set_offline(tenant, ai, **how)

    monkeypatch.setattr(Tenant, "set_offline", slowly)
    with ThreadPoolExecutor(2) as pool:
        if change == "extend":
            changed = pool.submit(driver.extend_volume, volume, 2)
        else:
            changed = pool.submit(driver.retype, None, volume, {"id": gold.id}, None, None)
        assert changing.wait(10)
        comer = pool.submit(driver.initialize_connection, volume, HOST)
        with pytest.raises(FuturesTimeout):
            comer.result(0.5)
        go_on.set()
        changed.result(10)
        comer.result(10)
    found, storage, inside = old.stored(volume)
    assert (found.admin_state, storage.initiators) == ("online", [HOST["initiator"]])
    assert (inside.size, inside.replica_count) in {(2, 3), (1, 4)}


@pytest.mark.parametrize("failing", [VOLUME, ".*/performance_policy"])
def test_a_volume_that_cannot_grow_keeps_the_limits_of_its_size(recent: Any, failing: str) -> None:
    volume = recent.volume(1, recent.volume_type(iops_per_gb="10"))
    recent.emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=failing)
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        recent.driver.extend_volume(volume, 2)
    assert recent.stored(volume)[2].size == 1
    assert recent.limits(volume) == {"total_iops_max": 10}


def test_limits_change_without_a_moment_without_any(recent: Any) -> None:
    volume = recent.volume(1, recent.volume_type(iops_per_gb="10"))
    counters = recent.emulator.cluster.counters
    recent.driver.extend_volume(volume, 2)
    assert recent.limits(volume) == {"total_iops_max": 20}
    gold = recent.volume_type(total_iops_max="7")
    assert recent.driver.retype(recent.service.context, volume, gold, {}, {}) is True
    assert recent.limits(volume) == {"total_iops_max": 7}
    assert counters.of("DELETE", LIMITS) == 0


def test_limits_that_could_not_be_set_leave_those_that_were(recent: Any) -> None:
    volume = recent.volume(1, recent.volume_type(total_iops_max="5"))
    recent.emulator.faults.answer(
        500, {"message": "broken"}, method="PUT", path=".*/performance_policy"
    )
    gold = recent.volume_type(total_iops_max="7")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        recent.driver.retype(recent.service.context, volume, gold, {}, {})
    assert recent.limits(volume) == {"total_iops_max": 5}


def test_volumes_can_be_made_before_anybody_asked_for_the_stats(array: Any) -> None:
    driver = array.another_driver()
    volume = array.record()
    driver.create_volume(volume)
    driver.cluster.close()
    assert array.stored(volume)[2].size == 1


def test_stats_that_cannot_be_read_are_cinders_error_and_the_next_ones_are_right(
    recent: Any,
) -> None:
    recent.emulator.faults.answer(500, {"message": "broken"}, path="/system")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        recent.driver.get_volume_stats(refresh=True)
    assert recent.driver.get_volume_stats(refresh=True)["total_capacity_gb"] > 0


def test_an_initiator_that_somebody_makes_at_the_same_moment_is_used(recent: Any) -> None:
    volume = recent.volume()
    host = {"initiator": "iqn.1994-05.com.redhat:three", "host": "three"}
    # It is made, and the answer is that it is there already.
    recent.emulator.faults.answer(
        409, {"message": "It exists."}, method="POST", path="/initiators", applied=True
    )
    recent.driver.initialize_connection(volume, host)
    assert recent.stored(volume)[1].initiators == [host["initiator"]]


def test_hosts_that_come_and_go_through_several_processes_do_not_undo_each_other(
    recent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = recent.volume()
    drivers = [recent.driver, recent.another_driver()]
    for driver in drivers:  # not even the lock that they share helps them
        monkeypatch.setattr(driver, "_attachments_of", lambda _volume: contextlib.nullcontext())
    recent.emulator.cluster.counters.reset()
    with ThreadPoolExecutor(2) as pool:
        pairs = zip(drivers, (HOST, OTHER), strict=True)
        for done in [pool.submit(one.initialize_connection, volume, host) for one, host in pairs]:
            done.result(20)
    _found, storage, _inside = recent.stored(volume)
    assert sorted(storage.initiators) == sorted([HOST["initiator"], OTHER["initiator"]])
    assert recent.emulator.cluster.counters.of("PUT", ACL) == 0
    drivers[1].cluster.close()


def test_a_host_leaves_a_list_that_names_a_group_too_and_the_group_stays(recent: Any) -> None:
    volume = recent.volume()
    recent.driver.initialize_connection(volume, HOST)
    found, storage, _inside = recent.stored(volume)
    recent.ask("/initiator_groups", name="admins", members=[])
    path = f"/app_instances/{found.id}/storage_instances/storage-1/acl_policy/initiator_groups"
    recent.driver.cluster._link.ask(
        "PUT", path, body={"op": "add", "path": "/initiator_groups/admins"}
    )
    recent.driver.terminate_connection(volume, HOST)
    assert (storage.initiators, storage.initiator_groups) == ([], ["admins"])
    assert found.admin_state == "online"
    recent.driver.delete_volume(volume)
    assert recent.emulator.cluster.app_instances == {}


def test_an_attachment_leaves_the_pool_that_was_chosen_at_the_start(recent: Any) -> None:
    recent.ask("/access_network_ip_pools", name="first-net")
    recent.ask("/access_network_ip_pools", name="second-net")
    volume = recent.volume(1, recent.volume_type(ip_pool="first-net,second-net"))
    _found, storage, _inside = recent.stored(volume)
    chosen = storage.ip_pool
    assert chosen in ("first-net", "second-net")
    for _time in range(3):
        recent.driver.initialize_connection(volume, {**HOST, "ip": "192.0.2.7"})
        recent.driver.terminate_connection(volume, HOST)
    assert storage.ip_pool == chosen
    assert recent.emulator.cluster.counters.of("GET", "/access_network_ip_pools") == 0


@pytest.fixture
def below(recent: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The driver with a tenant of its own."""
    settings = dataclasses.replace(recent.driver.settings, tenant="cloud")
    monkeypatch.setattr(recent.driver, "_settings", settings)
    monkeypatch.setattr(recent.driver, "_tenants_made", set())
    return recent


def test_a_tenant_is_made_once_and_not_for_every_volume(below: Any) -> None:
    for _time in range(3):
        assert below.stored(below.volume())[0].tenant == "/root/cloud"
    assert below.emulator.cluster.counters.of("POST", "/tenants") <= 1


def test_a_tenant_that_this_user_may_not_look_at_is_used_nevertheless(below: Any) -> None:
    below.volume()
    below.driver._tenants_made.clear()
    below.emulator.faults.answer(
        401, {"name": "PermissionDeniedError", "message": "No."}, method="GET", path="/tenants/.*"
    )
    below.volume()
    assert len(below.emulator.cluster.app_instances) == 2


@pytest.mark.parametrize("refusal", [401, 422])
def test_a_tenant_that_this_user_may_not_make_is_named(below: Any, refusal: int) -> None:
    settings = dataclasses.replace(below.driver.settings, tenant="elsewhere")
    below.driver._settings = settings
    below.emulator.faults.answer(
        refusal,
        {"name": "PermissionDeniedError", "message": "No."},
        method="POST",
        path="/tenants",
    )
    with pytest.raises(exception.VolumeBackendAPIException, match="/root/elsewhere"):
        below.volume()
    assert below.emulator.cluster.app_instances == {}
