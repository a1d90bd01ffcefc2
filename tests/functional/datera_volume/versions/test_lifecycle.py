# SPDX-License-Identifier: Apache-2.0
"""Every operation on clusters of every generation, in every API version, and what each costs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from cinder import exception

from datera_volume.operations.chap import Chap, Credentials

HOST = {"initiator": "iqn.1994-05.com.redhat:one", "host": "one", "multipath": True}
OTHER = {"initiator": "iqn.1994-05.com.redhat:two", "host": "two", "multipath": False}


def test_the_lifecycle_of_a_volume(array: Any) -> None:
    gold = array.volume_type(
        replica_count="2", placement_mode="all_flash", iops_per_gb="100", total_iops_max="250"
    )
    volume = array.volume(1, gold)
    assert array.requests() <= 2
    found, storage, inside = array.stored(volume)
    assert (inside.size, inside.replica_count, inside.placement_mode) == (1, 2, "all_flash")
    assert (found.uuid, storage.access_control_mode) == (volume.id, "deny_all")
    assert array.limits(volume) == {"total_iops_max": 100}

    array.driver.extend_volume(volume, 3)
    # More where it is refused online: what became of it is looked at.
    assert array.requests() <= (5 if array.product >= (3,) else 8)
    volume.update({"size": 3})
    assert inside.size == 3
    assert array.limits(volume) == {"total_iops_max": 250}

    snapshot = array.snapshot(volume)
    assert array.requests() <= 5
    plain = array.volume_type(read_iops_max="7")
    copies = [array.record(4, plain), array.record(3, plain)]
    array.driver.create_volume_from_snapshot(copies[0], snapshot)
    array.driver.create_cloned_volume(copies[1], volume)
    for copy in copies:
        _found, _storage, inside = array.stored(copy)
        assert (inside.size, inside.replica_count) == (copy.size, 3)
        assert array.limits(copy) == {"read_iops_max": 7}
    array.driver.delete_snapshot(snapshot)
    for gone in (volume, *copies):
        array.driver.delete_volume(gone)
    assert array.emulator.cluster.app_instances == {}


def test_an_attachment_and_what_it_costs(array: Any) -> None:
    volume = array.volume()
    array.driver.terminate_connection(volume, None)
    array.requests()
    data = array.driver.initialize_connection(volume, HOST)["data"]
    assert array.requests() <= 9
    assert len(data["target_portals"]) == 2
    found, storage, _inside = array.stored(volume)
    array.driver.initialize_connection(volume, OTHER)
    assert storage.initiators == [HOST["initiator"], OTHER["initiator"]]
    array.requests()
    array.driver.terminate_connection(volume, HOST)
    # Of these five ask whether the host is still needed in the tenant, and remove it.
    assert array.requests() <= 8
    assert (storage.initiators, found.admin_state) == ([OTHER["initiator"]], "online")
    array.driver.terminate_connection(volume, OTHER)
    assert (storage.initiators, found.admin_state) == ([], "offline")


def test_a_chap_secret_that_another_process_has_set_is_masked_too(recent: Any) -> None:
    chap = Chap(Credentials("cinder", "chap-secret-15c"))
    first, second = recent.driver, recent.another_driver()
    usual, volume = first.settings, recent.volume()
    for driver in (first, second):
        driver._settings = dataclasses.replace(usual, chap=chap)
    try:
        secret = first.initialize_connection(volume, HOST)["data"]["auth_password"]
        assert second.initialize_connection(volume, OTHER)["data"]["auth_password"] == secret
        recent.emulator.faults.answer(400, {"message": f"not with {secret}"})
        with pytest.raises(exception.VolumeBackendAPIException, match="not with ") as told:
            second.extend_volume(volume, 2)
        assert secret not in str(told.value)
    finally:
        first._settings = usual
        second.cluster.close()


def test_a_volumes_own_chap_login_is_asked_for_and_kept_while_it_is_used(array: Any) -> None:
    usual, chap = array.driver.settings, Chap(Credentials("cinder", "chap-secret-15c"))
    volume = array.volume()
    array.driver._settings = dataclasses.replace(usual, chap=chap)
    try:
        array.requests()
        data = array.driver.initialize_connection(volume, HOST)["data"]
        assert array.requests() <= 8
        auth = array.stored(volume)[1].auth
        assert (auth.type, auth.target_user_name, auth.target_pswd) == (
            "chap",
            data["auth_username"],
            data["auth_password"],
        )
        again = array.driver.initialize_connection(volume, OTHER)["data"]
        assert (again["auth_username"], again["auth_password"]) == (
            data["auth_username"],
            data["auth_password"],
        )
        asked = [path for _method, path in array.emulator.cluster.counters.requests]
        assert not [path for path in asked if "/auth" in path], "nothing is set under the first"
        assert data["auth_password"] not in ("chap-secret-15c", "")
    finally:
        array.driver._settings = usual


def test_an_attached_volume_grows_or_is_left_as_it_was(array: Any) -> None:
    volume = array.volume()
    array.driver.initialize_connection(volume, HOST)
    found, _storage, inside = array.stored(volume)
    if array.product >= (3,):
        array.driver.extend_volume(volume, 2)
        assert inside.size == 2
    else:
        with pytest.raises(exception.VolumeBackendAPIException, match=volume.id):
            array.driver.extend_volume(volume, 2)
        assert inside.size == 1
    assert found.admin_state == "online"


def test_a_placement_policy_is_used_where_the_product_has_those(array: Any) -> None:
    if array.recent:
        array.ask("/placement_policies", name=f"flash-{array.api}")
    specs = {
        "placement_policy": f"/placement_policies/flash-{array.api}",
        "placement_mode": "single_flash",
    }
    _found, _storage, inside = array.stored(array.volume(1, array.volume_type(**specs)))
    if array.recent:
        assert inside.placement_policy == f"flash-{array.api}"
    else:
        assert inside.placement_mode == "single_flash"


def test_an_open_volume_allows_every_initiator_and_is_never_set_offline(array: Any) -> None:
    volume = array.volume(1, array.volume_type(acl_allow_all="<is> True"))
    found, storage, inside = array.stored(volume)
    assert storage.access_control_mode == "allow_all"
    array.requests()
    array.driver.initialize_connection(volume, HOST)
    assert array.requests() <= 4
    assert storage.initiators == []
    array.driver.terminate_connection(volume, HOST)
    array.driver.terminate_connection(volume, None)
    array.driver.extend_volume(volume, 2)
    assert (found.admin_state, inside.size) == ("online", 2)
    closed = array.record()
    array.driver.create_cloned_volume(closed, volume)
    storage = array.stored(closed)[1]
    assert storage.access_control_mode == "deny_all"
    # A product might let a copy be as open as its source, whatever was asked for.
    storage.access_control_mode = "allow_all"
    array.driver.create_cloned_volume(closed, volume)
    assert storage.access_control_mode == "deny_all"


def test_the_stats_and_the_capabilities(array: Any) -> None:
    array.driver.init_capabilities()
    told = array.driver.capabilities
    assert told["total_capacity_gb"] == pytest.approx(100 * 1024 / 3, abs=0.01)
    assert array.requests() <= 2
    names = {name for name in told["properties"] if name.startswith("DF:")}
    assert len(names) == 17
    assert told["properties"]["DF:replica_count"]["default"] == 3
    assert told["properties"]["DF:ip_pool"]["default"] == "default"


def test_requests_name_the_driver_and_its_version(array: Any) -> None:
    array.volume()
    (driver,) = array.emulator.cluster.counters.drivers
    assert driver.startswith(f"OpenStack-Cinder-{array.driver.VERSION}|Python-SDK-")
    assert array.driver.CI_WIKI_NAME == "datera-ci"


def test_a_display_name_that_is_another_volumes_id_does_no_harm(array: Any) -> None:
    victim = array.volume()
    namesake = array.record(1, display_name=victim.id)
    array.driver.create_volume(namesake)
    # The in-tree driver puts the display name into the name on the cluster.
    with array.emulator.cluster.transaction():
        found = array.stored(namesake)[0]
        found.name = f"OS-{victim.id[:22]}-{namesake.id}"
        array.emulator.cluster.save(found)
    array.driver.extend_volume(namesake, 2)
    array.driver.initialize_connection(namesake, HOST)
    assert array.stored(victim)[1].initiators == []
    assert array.stored(victim)[2].size == 1
    array.driver.delete_volume(namesake)
    assert [ai.name for ai in array.emulator.cluster.app_instances.values()] == [f"OS-{victim.id}"]


def test_a_volume_with_a_name_in_any_script_is_found(recent: Any) -> None:
    volume = recent.record(1, display_name="Données — 数据 💾 OS-x")
    recent.driver.create_volume(volume)
    recent.driver.extend_volume(volume, 2)
    assert recent.stored(volume)[2].size == 2
