# SPDX-License-Identifier: Apache-2.0
"""Attaching while others attach, and with groups and pools that operators set."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one"}
OTHER = {"initiator": "iqn.1994-05.com.redhat:two", "host": "two"}
VOLUME = "/app_instances/.*/volumes/volume-1"
LIMITS = (
    "/app_instances/:id/storage_instances/:storage_instance_name"
    "/volumes/:volume_name/performance_policy"
)
ACL = "/app_instances/:id/storage_instances/:storage_instance_name/acl_policy"


def test_an_initiator_created_concurrently_is_used(recent: Any) -> None:
    volume = recent.volume()
    host = {"initiator": "iqn.1994-05.com.redhat:three", "host": "three"}
    # It is made, and the answer is that it is there already.
    recent.emulator.faults.answer(
        409, {"message": "It exists."}, method="POST", path="/initiators", applied=True
    )
    recent.driver.initialize_connection(volume, host)
    assert recent.stored(volume)[1].initiators == [host["initiator"]]


def test_concurrent_attachments_through_several_processes_both_get_access(
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


def test_detaching_a_host_keeps_an_initiator_group_in_the_acl(recent: Any) -> None:
    volume = recent.volume()
    recent.driver.initialize_connection(volume, HOST)
    found, storage, _inside = recent.stored(volume)
    recent.ask("/initiator_groups", name="admins", members=[])
    path = f"/app_instances/{found.id}/storage_instances/storage-1/acl_policy/initiator_groups"
    recent.driver.cluster._session.request(
        "PUT", path, body={"op": "add", "path": "/initiator_groups/admins"}
    )
    recent.driver.terminate_connection(volume, HOST)
    assert (storage.initiators, storage.initiator_groups) == ([], ["admins"])
    assert found.admin_state == "online"
    recent.driver.delete_volume(volume)
    assert recent.emulator.cluster.app_instances == {}


def test_attaching_keeps_the_pool_that_was_chosen_at_creation(recent: Any) -> None:
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
