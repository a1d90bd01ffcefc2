# SPDX-License-Identifier: Apache-2.0
"""What may be done to app instances, and when."""

from __future__ import annotations

import pytest

from datera_emulator.state.model import NO_UUID
from datera_emulator.switches import Limits, Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

UUID = "9b0216bc-8aab-47f2-b746-843f497cb7a6"


def test_openstack_mode_gives_its_uuid_to_instance_and_volume(api: Api) -> None:
    made = api.create("one", create_mode="openstack", uuid=UUID)
    assert made["uuid"] == made["storage_instances"][0]["volumes"][0]["uuid"] == UUID
    assert made["id"] != UUID
    assert api.create("two", uuid="0" + UUID[1:])["uuid"] == NO_UUID
    body = {"name": "three", "create_mode": "openstack", "uuid": UUID}
    assert api.refused("POST", "/app_instances", body)[0] == 409


@pytest.mark.parametrize(
    "name", ["ab", "1starts-with-a-digit", "has space", "x" * 65, "", "a/b", UUID[:-1] + "!"]
)
def test_bad_names_are_refused(api: Api, name: str) -> None:
    assert api.refused("POST", "/app_instances", {"name": name})[0] == 422


def test_good_names_are_taken_once_per_tenant(api: Api) -> None:
    for name in (UUID, "_a.b-c", "x" * 64):
        api.good("POST", "/app_instances", {"name": name})
        assert api.refused("POST", "/app_instances", {"name": name})[0] == 409
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "root/acme"
    api.good("POST", "/app_instances", {"name": UUID})
    assert len(api.good("GET", "/app_instances")) == 1


def test_a_tenant_does_not_see_anothers(api: Api) -> None:
    made = api.create()
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "/tenants/root/acme"
    assert api.refused("GET", made["path"])[0] == 404
    assert api.refused("DELETE", made["path"])[0] == 404
    api.tenant = "/root/nobody"
    assert api.refused("GET", "/app_instances")[0] == 404


def test_deleting_needs_offline_and_takes_everything_along(api: Api) -> None:
    made = api.create()
    api.good("POST", f"{api.volume(made)}/snapshots", {})
    for body in ({}, {"force": True}):
        status, message = api.refused("DELETE", made["path"], body)
        assert status == 400
        assert "online" in message
    api.offline(made)
    assert api.good("DELETE", made["path"])["id"] == made["id"]
    assert list(api.cluster.files.names()) == []
    assert api.refused("GET", made["path"])[0] == 404


def test_the_switch_lets_force_delete_what_is_online(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(online_delete="force"))
    made = api.create()
    assert api.refused("DELETE", made["path"])[0] == 400
    api.good("DELETE", made["path"], {"force": True})


def test_transient_states_end_after_some_reads(api: Api) -> None:
    made = api.create()

    def state() -> str:
        return str(api.good("GET", made["path"])["storage_instances"][0]["op_state"])

    assert made["storage_instances"][0]["op_state"] == "unavailable"
    assert [state(), state()] == ["unavailable", "available"]
    api.offline(made)
    assert [state(), state()] == ["unavailable", "unavailable"]
    shown = api.good("GET", made["path"])["storage_instances"][0]
    assert shown["volumes"][0]["op_state"] == "available"
    assert shown["access"]["iqn"]
    api.good("PUT", made["path"], {"admin_state": "online"})
    assert [state(), state()] == ["unavailable", "available"]


def test_an_app_instance_is_renamed_and_described(api: Api) -> None:
    one, _two = api.create("one"), api.create("two")
    assert api.refused("PUT", one["path"], {"name": "two"})[0] == 409
    assert api.good("PUT", one["path"], {"name": "one", "descr": "some words"})["descr"]
    assert api.good("PUT", one["path"], {"descr": None})["descr"] == ""
    assert api.refused("PUT", one["path"], {"descr": "no: colon"})[0] == 422


def test_access_control_mode_reaches_the_storage_and_only_narrows(api: Api) -> None:
    made = api.create(access_control_mode="allow_all")
    storage = made["storage_instances"][0]
    assert storage["access_control_mode"] == "allow_all"
    api.good("PUT", storage["path"], {"access_control_mode": "deny_all"})
    assert api.refused("PUT", storage["path"], {"access_control_mode": "allow_all"})[0] == 400


def test_limits_are_switches(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(limits=Limits(app_instances=2, snapshots_per_volume=1)))
    made = api.create("one")
    api.create("two")
    assert "limit" in api.refused("POST", "/app_instances", {"name": "three"})[1]
    api.good("POST", f"{api.volume(made)}/snapshots", {})
    assert api.refused("POST", f"{api.volume(made)}/snapshots", {})[0] == 400


def test_a_refused_create_leaves_no_files(api: Api) -> None:
    volume = {"name": "volume-1", "size": 1}
    storage = {
        "name": "storage-1",
        "volumes": [volume],
        "ip_pool": {"path": "/access_network_ip_pools/nobody"},
    }
    body = {"name": "one", "storage_instances": [storage]}
    assert api.refused("POST", "/app_instances", body)[0] == 404
    twice = {"name": "storage-1", "volumes": [volume, volume]}
    body = {"name": "one", "storage_instances": [twice]}
    assert api.refused("POST", "/app_instances", body)[0] == 422
    assert list(api.cluster.files.names()) == []


def test_list_metadata_differ_by_version(make_api: MakeApi) -> None:
    api = make_api("3.2.0.0")
    for number in range(3):
        api.create(f"name-{number}")
    _, body = api.ask("GET", "/app_instances", filter="name=name-1")
    assert body["metadata"] == {"total_count": 3, "request_count": 1, "limit": 100, "offset": 0}
    api.version = "v2.1"
    _, body = api.ask("GET", "/app_instances")
    assert body["metadata"] == {"total": 3}
    api = make_api("3.3.0.0")
    _, body = api.ask("GET", "/app_instances", filter="match(name,name-[12])", limit=1)
    assert body["metadata"] == {"total_count": 2, "request_count": 1, "limit": 1, "offset": 0}


def test_lists_have_no_order_that_a_client_could_rely_on(make_api: MakeApi) -> None:
    api = make_api()
    created = [api.create(f"name-{number}")["id"] for number in range(8)]
    listed = [one["id"] for one in api.good("GET", "/app_instances")]
    assert listed == sorted(created)
    api = make_api(switches=Switches(list_order="created"))
    assert {one["id"] for one in api.good("GET", "/app_instances")} == set(created)


def test_lists_are_filtered_and_sorted_by_what_is_shown(api: Api) -> None:
    for name, descr in (("one", "blue"), ("two", "red"), ("three", "blue")):
        api.create(name, descr=descr)
    api.offline(api.good("GET", "/app_instances/two"))

    def names(**query: str) -> list[str]:
        return [one["name"] for one in api.good("GET", "/app_instances", **query)]

    assert names(filter="descr=blue", sort="name") == ["one", "three"]
    assert names(filter="admin_state=offline") == ["two"]
    assert names(filter="health=ok", sort="-name") == ["two", "three", "one"]
    assert names(filter="match(name,^t)", sort="name", limit="1") == ["three"]
    assert names(filter="match(name,^t)", sort="name", limit="1", offset="1") == ["two"]
    for kept_but_not_shown in ("cloning_reads", "created_ns", "metadata"):
        query = {"filter": f"{kept_but_not_shown}=0"}
        assert api.refused("GET", "/app_instances", **query)[0] == 422
