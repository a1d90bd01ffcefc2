# SPDX-License-Identifier: Apache-2.0
"""App templates, what is made from them, and snapshot policies."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

POLICY = {"name": "nightly", "interval": "1day", "retention_count": 7}


def template(api: Api, name: str = "gold", **more: Any) -> Any:
    """Make a template with one volume of 5 GiB."""
    volume = {
        "name": "volume-1",
        "size": 5,
        "replica_count": 2,
        "placement_mode": "all_flash",
        "performance_policy": {"total_iops_max": 100},
        "snapshot_policies": [POLICY],
    }
    storage = {"name": "storage-1", "volume_templates": [volume], **more}
    return api.good("POST", "/app_templates", {"name": name, "storage_templates": [storage]})


def bound(api: Api, name: str = "one", **more: Any) -> dict[str, Any]:
    return {"name": name, "app_template": {"path": "/app_templates/gold"}, **more}


def override(size: str, volume: str = "volume-1", storage: str = "storage-1") -> Any:
    return {"storage_instances": {storage: {"volumes": {volume: {"size": size}}}}}


def test_an_app_instance_is_made_as_its_template_says(api: Api) -> None:
    template(api)
    made = api.good("POST", "/app_instances", bound(api, create_mode="openstack"))
    assert made["app_template"] == {
        "path": "/app_templates/gold",
        "resolved_path": "/app_templates/gold",
        "resolved_tenant": "/root",
    }
    (volume,) = made["storage_instances"][0]["volumes"]
    assert (volume["size"], volume["replica_count"]) == (5, 2)
    assert volume["placement_mode"] == "all_flash"
    assert volume["performance_policy"]["total_iops_max"] == 100
    assert volume["snapshot_policies"][0]["name"] == "nightly"
    shown = api.good("GET", "/app_templates/gold")
    assert shown["app_instances"] == [{"path": made["path"]}]


def test_the_size_in_a_template_is_overridden_by_text(api: Api) -> None:
    template(api)
    for wrong in (override("0"), override("7", "volume-2"), override("7", storage="other")):
        wish = bound(api, template_override=wrong)
        assert api.refused("POST", "/app_instances", wish)[0] == 422
    number = {"storage_instances": {"storage-1": {"volumes": {"volume-1": {"size": 7}}}}}
    wish = bound(api, template_override=number)
    assert api.refused("POST", "/app_instances", wish)[0] == 422
    made = api.good("POST", "/app_instances", bound(api, template_override=override("7")))
    assert made["storage_instances"][0]["volumes"][0]["size"] == 7
    api.good("PUT", api.volume(made), {"size": 8})
    body = {"name": "two", "template_override": override("7")}
    assert api.refused("POST", "/app_instances", body)[0] == 422


def test_before_product_3_3_nothing_is_overridden_and_nothing_grows(make_api: MakeApi) -> None:
    api = make_api("3.2.0.0")
    template(api)
    wish = bound(api, template_override=override("7"))
    assert api.refused("POST", "/app_instances", wish)[0] == 422
    made = api.good("POST", "/app_instances", bound(api))
    api.offline(made)
    status, message = api.refused("PUT", api.volume(made), {"size": 6})
    assert status == 400
    assert "template" in message


def test_a_template_excludes_storage_and_sources(api: Api) -> None:
    template(api)
    source = api.create("source")
    besides = bound(api, storage_instances=[{"name": "storage-1"}])
    assert api.refused("POST", "/app_instances", besides)[0] == 422
    clone = bound(api, clone_src={"path": source["path"]})
    assert api.refused("POST", "/app_instances", clone)[0] == 422
    nowhere = {"name": "one", "app_template": {"path": "/app_templates/silver"}}
    assert api.refused("POST", "/app_instances", nowhere)[0] == 404


def test_a_bound_instance_keeps_its_pool_and_its_template(make_api: MakeApi) -> None:
    api = make_api()
    pool = {"path": api.good("POST", "/access_network_ip_pools", {"name": "other"})["path"]}
    template(api, ip_pool="/access_network_ip_pools/default")
    made = api.good("POST", "/app_instances", bound(api))
    api.offline(made)
    storage = made["storage_instances"][0]["path"]
    assert api.refused("PUT", storage, {"ip_pool": pool})[0] == 400
    assert api.refused("DELETE", "/app_templates/gold")[0] == 400
    api = make_api(switches=Switches(bound_ip_pool_changes=True, template_in_use_deletable=True))
    api.good("PUT", storage, {"ip_pool": pool})
    api.good("DELETE", "/app_templates/gold")


def test_templates_of_the_tenants_above_are_seen_but_not_changed(api: Api) -> None:
    template(api)
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "/root/acme"
    assert [one["tenant"] for one in api.good("GET", "/app_templates")] == ["/root"]
    made = api.good("POST", "/app_instances", bound(api))
    assert made["app_template"]["resolved_tenant"] == "/root"
    assert api.refused("DELETE", "/app_templates/gold")[0] == 404
    template(api)
    assert api.good("GET", "/app_templates/gold")["tenant"] == "/root/acme"


def test_templates_are_changed_part_by_part(api: Api) -> None:
    path = template(api)["path"]
    storage = f"{path}/storage_templates/storage-1"
    volume = f"{storage}/volume_templates/volume-1"
    api.good("PUT", volume, {"size": 262144, "replica_count": 3})
    assert api.refused("PUT", volume, {"size": 262145})[0] == 422
    api.good("PUT", f"{volume}/performance_policy", {"read_iops_max": 9})
    assert api.good("GET", volume)["performance_policy"]["read_iops_max"] == 9
    api.good("DELETE", f"{volume}/performance_policy")
    assert api.refused("GET", f"{volume}/performance_policy")[0] == 404
    api.good("POST", f"{volume}/performance_policy", {})
    auth = {"type": "chap", "target_user_name": "user", "target_pswd": "123456789012"}
    assert api.good("PUT", f"{storage}/auth", auth)["target_pswd"] == "(hidden)"
    api.good("POST", f"{storage}/volume_templates", {"name": "volume-2", "size": 1})
    api.good("POST", f"{path}/storage_templates", {"name": "storage-2"})
    assert api.refused("POST", f"{path}/storage_templates", {"name": "storage-2"})[0] == 409
    api.good("DELETE", f"{path}/storage_templates/storage-2")
    api.good("DELETE", f"{storage}/volume_templates/volume-2")
    copy = api.good("POST", "/app_templates", {"name": "copy", "copy_from": {"path": path}})
    assert len(copy["storage_templates"][0]["volume_templates"]) == 1
    api.good("DELETE", volume)
    assert len(api.good("GET", copy["path"])["storage_templates"][0]["volume_templates"]) == 1


@pytest.mark.parametrize("parent", ["instance", "volume", "template", "volume template"])
def test_snapshot_policies_are_kept_wherever_they_can_be(api: Api, parent: str) -> None:
    made, gold = api.create(), template(api)["path"]
    path = {
        "instance": made["path"],
        "volume": api.volume(made),
        "template": gold,
        "volume template": f"{gold}/storage_templates/storage-1/volume_templates/volume-1",
    }[parent] + "/snapshot_policies"
    wish = {**POLICY, "name": "hourly"}
    own = api.good("POST", path, wish)["path"]
    assert api.refused("POST", path, wish)[0] == 409
    assert api.refused("POST", path, {**wish, "retention_count": 257})[0] == 422
    assert api.refused("POST", path, {**wish, "name": "other", "interval": "1min"})[0] == 422
    assert api.good("PUT", own, {"retention_count": 3})["retention_count"] == 3
    assert "hourly" in [one["name"] for one in api.good("GET", path)]
    assert "hourly" in [one["name"] for one in api.good("GET", path[:-18])["snapshot_policies"]]
    api.good("DELETE", own)
    assert api.refused("GET", own)[0] == 404
