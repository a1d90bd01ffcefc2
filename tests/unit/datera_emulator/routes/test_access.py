# SPDX-License-Identifier: Apache-2.0
"""Initiators, groups, ACLs, CHAP and IP pools."""

from __future__ import annotations

import json

import pytest

from datera_emulator.rules.admission import admit
from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

IQN = "iqn.1993-08.org.debian:01:ed22de8d75c0"
OTHER = "iqn.1993-08.org.debian:01:000000000000"


def register(api: Api, identity: str = IQN, **more: object) -> dict[str, str]:
    path = api.good("POST", "/initiators", {"id": identity, "name": "a host", **more})["path"]
    return {"path": path}


def acl_of(api: Api) -> str:
    return str(api.create()["storage_instances"][0]["acl_policy"]["path"])


@pytest.mark.parametrize("identity", ["iqn.bad", "iqn.1993-08.org.x/y:z.z", "eui.123", "host"])
def test_an_initiators_id_is_an_iqn_or_eui(api: Api, identity: str) -> None:
    assert api.refused("POST", "/initiators", {"id": identity, "name": "a host"})[0] == 422


def test_initiators_are_registered_once_per_tenant(api: Api) -> None:
    register(api)
    register(api, "eui.0123456789ABCDEF")
    status, body = api.ask("POST", "/initiators", {"id": IQN, "name": "again"})
    assert (status, body["name"]) == (409, "ConflictError")


def test_the_first_initiator_of_a_subtenant_needs_force(api: Api) -> None:
    register(api)
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "/root/acme"
    assert api.good("GET", f"/initiators/{IQN}")["tenant"] == "/root"
    status, message = api.refused("POST", "/initiators", {"id": IQN, "name": "a host"})
    assert status == 400
    assert "override this warning" in message
    register(api, force=True)
    assert api.good("GET", f"/initiators/{IQN}")["tenant"] == "/root/acme"
    register(api, OTHER)
    api.version = "v2.1"
    body = {"id": OTHER[:-1] + "1", "name": "a host", "force": True}
    assert api.refused("POST", "/initiators", body)[0] == 422


def test_a_parents_initiator_is_seen_but_not_usable_by_default(make_api: MakeApi) -> None:
    api = make_api()
    reference = register(api)
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "/root/acme"
    acl = acl_of(api)
    assert api.refused("PUT", f"{acl}/initiators", {"op": "add", **reference})[0] == 400
    api = make_api(switches=Switches(parent_initiators_usable=True))
    api.tenant = "/root/acme"
    api.good("PUT", f"{acl}/initiators", {"op": "add", **reference})


def test_put_replaces_an_acl_and_refuses_unknown_keys(api: Api) -> None:
    acl = acl_of(api)
    first, second = register(api), register(api, OTHER)
    assert api.good("PUT", acl, {"initiators": [first, second]})["initiators"] == [first, second]
    assert api.good("PUT", acl, {"initiators": [second]})["initiators"] == [second]
    assert api.refused("PUT", acl, {"initiators": [{**first, "name": "x"}]})[0] == 422
    assert api.refused("PUT", acl, {"initiators": [], "path": acl})[0] == 422
    unknown = {"path": f"/initiators/{OTHER}1"}
    assert api.refused("PUT", acl, {"initiators": [unknown]})[0] == 404
    assert api.good("GET", acl)["initiators"] == [second]


def test_acl_entries_are_added_and_removed_one_by_one(api: Api) -> None:
    acl = acl_of(api)
    reference = register(api)
    path = f"{acl}/initiators"
    api.good("PUT", path, {"op": "add", **reference})
    status, body = api.ask("PUT", path, {"op": "add", **reference})
    assert (status, body["name"]) == (409, "ConflictError")
    assert api.good("GET", path) == [reference]
    assert api.refused("DELETE", reference["path"])[0] == 409
    api.good("PUT", path, {"op": "remove", **reference})
    assert api.refused("PUT", path, {"op": "remove", **reference})[0] == 404
    api.good("DELETE", reference["path"])
    assert api.refused("GET", reference["path"])[0] == 404


def test_groups_stand_in_acls_too(api: Api) -> None:
    acl = acl_of(api)
    reference = register(api)
    group = api.good("POST", "/initiator_groups", {"name": "group", "members": [reference]})
    link = {"path": group["path"]}
    api.good("PUT", f"{acl}/initiator_groups", {"op": "add", **link})
    assert api.good("GET", acl)["initiator_groups"] == [link]
    assert api.refused("DELETE", group["path"])[0] == 409
    api.good("PUT", f"{group['path']}/members", {"op": "remove", **reference})
    assert api.good("GET", group["path"])["members"] == []


def test_chap_secrets_have_their_length_and_are_never_shown(api: Api) -> None:
    path = api.create()["storage_instances"][0]["auth"]["path"]
    wish = {"type": "chap", "target_user_name": "user", "target_pswd": "short"}
    status, body = api.ask("PUT", path, wish)
    assert status == 422
    assert "short" not in json.dumps(body)
    _, body = api.ask("PUT", path, [wish])
    assert "short" not in body["message"]
    assert api.refused("PUT", path, {"type": "chap"})[0] == 422
    assert api.refused("PUT", path, {**wish, "target_pswd": "x" * 17})[0] == 422
    shown = api.good("PUT", path, {**wish, "target_pswd": "123456789012"})
    assert shown == api.good("GET", path)
    assert (shown["type"], shown["target_pswd"]) == ("chap", "(hidden)")
    mutual = {"type": "mchap", "initiator_user_name": "array", "initiator_pswd": "abcdefabcdef"}
    assert api.good("PUT", path, mutual)["type"] == "mchap"


def test_an_ip_pool_changes_offline_only(api: Api) -> None:
    made = api.create()
    storage = made["storage_instances"][0]
    assert storage["ip_pool"]["resolved_path"] == "/access_network_ip_pools/default"
    network = {"start_ip": "172.28.41.2", "range": 6, "netmask": 24}
    pool = api.good(
        "POST", "/access_network_ip_pools", {"name": "pool", "network_paths": [network]}
    )
    change = {"ip_pool": {"path": pool["path"]}}
    assert api.refused("PUT", storage["path"], change)[0] == 400
    api.offline(made)
    assert api.good("PUT", storage["path"], change)["ip_pool"]["path"] == pool["path"]
    assert api.refused("DELETE", pool["path"])[0] == 400


def test_an_ip_pools_paths_are_changed_as_a_whole_or_one_by_one(api: Api) -> None:
    path = {"start_ip": "10.0.0.1", "range": 6, "netmask": 24}
    pool = api.good("POST", "/access_network_ip_pools", {"name": "other", "network_paths": [path]})
    for wrong in ({"range": 5}, {"netmask": 30}, {"start_ip": "10.0.0.256"}, {"mtu": 1499}):
        body = {"network_paths": [{**path, **wrong}]}
        assert api.refused("PUT", pool["path"], body)[0] == 422
    paths = [{**path, "name": "one"}, {**path, "name": "two"}]
    api.good("PUT", pool["path"], {"descr": "a pool", "network_paths": paths})
    api.good("PUT", f"{pool['path']}/network_paths/two", {"vlan": 7})
    shown = api.good("GET", f"{pool['path']}/network_paths")
    assert [one.get("vlan") for one in shown] == [None, 7]
    assert api.good("GET", f"{pool['path']}/network_paths/one")["range"] == 6
    assert api.refused("GET", f"{pool['path']}/network_paths/three")[0] == 404


def test_tenants_are_found_by_any_spelling_of_their_path(api: Api) -> None:
    api.good("POST", "/tenants", {"name": "acme", "descr": "some words"})
    inner = api.good("POST", "/tenants", {"name": "inner", "parent_path": "/root/acme"})
    assert inner["path"] == "/root/acme/inner"
    for spelling in ("/tenants/root/acme/inner", "/tenants//root/acme/inner"):
        assert api.good("GET", spelling)["name"] == "inner"
    assert api.refused("POST", "/tenants", {"name": "acme"})[0] == 409
    assert api.refused("DELETE", "/tenants/root/acme")[0] == 400
    assert api.refused("DELETE", "/tenants/root")[0] == 400
    api.good("DELETE", "/tenants/root/acme/inner")
    api.good("DELETE", "/tenants/root/acme")
    assert [one["path"] for one in api.good("GET", "/tenants")] == ["/root"]


@pytest.mark.parametrize("case", ["distinct", "folded"])
def test_names_that_differ_in_case_are_two_initiators_or_one(make_api: MakeApi, case: str) -> None:
    folded = case == "folded"
    api = make_api(switches=Switches(initiator_case=case))
    large = register(api, IQN.upper().replace("IQN", "iqn"))["path"].rpartition("/")[2]
    assert large == (IQN if folded else IQN.upper().replace("IQN", "iqn"))
    assert api.ask("POST", "/initiators", {"id": IQN, "name": "a host"})[0] == (
        409 if folded else 200
    )
    assert api.good("GET", f"/initiators/{IQN}")["id"] == IQN
    made = api.create()
    storage = api.cluster.app_instances[made["id"]].storage_instances["storage-1"]
    storage.unavailable_reads = 0
    acl = made["storage_instances"][0]["acl_policy"]["path"]
    link = {"path": f"/initiators/{IQN}"}
    other = {"path": f"/initiators/{large}"}
    api.good("PUT", f"{acl}/initiators", {"op": "add", **link})
    assert api.ask("PUT", f"{acl}/initiators", {"op": "add", **other})[0] == (
        409 if folded else 200
    )
    assert api.good("GET", f"{acl}/initiators") == ([link] if folded else [other, link])
    for name in (IQN, large):
        admit(api.cluster, {"target": storage.iqn, "initiator": name, "lun": 0})
    upper = {"path": f"/initiators/{IQN.upper()}"}
    assert api.ask("PUT", f"{acl}/initiators", {"op": "remove", **upper})[0] == (
        200 if folded else 404
    )
    group = {"name": "group", "members": [link, other]}
    members = api.good("POST", "/initiator_groups", group)["members"]
    assert len(members) == (1 if folded else 2)
    if folded:
        api.good("PUT", "/initiator_groups/group/members", {"op": "remove", **upper})
        api.good("DELETE", f"/initiators/{IQN.upper()}")
