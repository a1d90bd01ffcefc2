# SPDX-License-Identifier: Apache-2.0
"""What versions of the API and of the product disagree on, as a client sees it."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.switches import Dialect, product_version
from tests.fixtures.datera.emulated_api import Api, MakeApi

IQN = "iqn.1993-08.org.debian:01:ed22de8d75c0"
# Products, and the API versions that each serves.
SERVED = {
    "2.2.7.1": ("v2.1",),
    "3.2.1.0": ("v2.1", "v2.2"),
    "3.3.0.0": ("v2.1", "v2.2", "v2.3"),
    "5.1.1.0": ("v2.1", "v2.2", "v2.3"),
}
PAIRS = [(product, version) for product, versions in SERVED.items() for version in versions]
UNSERVED = [
    (product, version)
    for product, versions in SERVED.items()
    for version in ("v1", "v2", "v2.1", "v2.2", "v2.3", "v2.4", "v3")
    if version not in versions
]

each_pair = pytest.mark.parametrize(("product", "version"), PAIRS)


def newer(version: str) -> bool:
    return version != "v2.1"


def from_3_3(product: str) -> bool:
    return product_version(product) >= (3, 3)


@pytest.fixture
def speak(make_api: MakeApi) -> Any:
    """Make a cluster of a product, spoken to in a version."""

    def make(product: str, version: str) -> Api:
        api = make_api(product)
        api.version = version
        return api

    return make


@pytest.mark.parametrize(("product", "version"), UNSERVED)
def test_a_version_that_a_product_does_not_serve_is_no_route(
    speak: Any, product: str, version: str
) -> None:
    api = speak(product, version)
    status, body = api.ask("GET", "/system")
    assert (status, body["code"]) == (404, 99)


@each_pair
def test_collections_are_lists_and_references_are_paths(
    speak: Any, product: str, version: str
) -> None:
    api = speak(product, version)
    api.good("POST", "/initiators", {"id": IQN, "name": "a host"})
    made = api.create()
    acl = made["storage_instances"][0]["acl_policy"]["path"]
    api.good("PUT", acl, {"initiators": [{"path": f"/initiators/{IQN}"}]})
    assert api.good("GET", acl)["initiators"] == [{"path": f"/initiators/{IQN}"}]
    assert isinstance(api.good("GET", "/app_instances"), list)
    assert api.ask("GET", "/app_instances")[1]["version"] == version


@each_pair
def test_lists_say_how_many_there_are(speak: Any, product: str, version: str) -> None:
    api = speak(product, version)
    for name in ("one", "two", "three"):
        api.create(name)
    _, body = api.ask("GET", "/app_instances", filter="match(name,^t)", limit=1)
    counted = 2 if from_3_3(product) else 3
    if newer(version):
        expected = {"total_count": counted, "request_count": 1, "limit": 1, "offset": 0}
    else:
        expected = {"total": counted}
    assert body["metadata"] == expected
    assert api.ask("GET", "/app_instances", offset=1)[0] == (200 if newer(version) else 422)


@each_pair
def test_only_2_1_returns_a_long_list_in_one_piece(speak: Any, product: str, version: str) -> None:
    api = speak(product, version)
    for number in range(101):
        api.good("POST", "/app_instances", {"name": f"name-{number}"})
    assert len(api.good("GET", "/app_instances")) == (100 if newer(version) else 101)


@each_pair
def test_initiators_take_force_from_2_2_on(speak: Any, product: str, version: str) -> None:
    api = speak(product, version)
    body = {"id": IQN, "name": "a host", "force": True}
    assert api.ask("POST", "/initiators", body)[0] == (200 if newer(version) else 422)


@each_pair
def test_clones_have_one_key_for_each_kind_of_source(
    speak: Any, product: str, version: str
) -> None:
    api = speak(product, version)
    made = api.create()
    for number, (key, path) in enumerate(
        {"clone_src": made["path"], "clone_volume_src": api.volume(made)}.items()
    ):
        api.good("POST", "/app_instances", {"name": f"clone-{number}", key: {"path": path}})
    assert api.ask("POST", "/app_instances", {"name": "x-1", "clone_src": made["path"]})[0] == 422


@each_pair
def test_metadata_go_by_the_product_not_by_the_version(
    speak: Any, product: str, version: str
) -> None:
    api = speak(product, version)
    path = api.create()["path"]
    old = api.ask("PUT", f"{path}/metadata", {"key": "value"})[0]
    new = api.ask("PUT", f"{path}/int_ecosystem_data", {"data": {"key": "value"}})[0]
    assert (old, new) == ((404, 200) if from_3_3(product) else (200, 404))


@each_pair
def test_features_of_product_3_3_need_api_2_2_or_newer(
    speak: Any, product: str, version: str
) -> None:
    api = speak(product, version)
    there = from_3_3(product) and newer(version)
    described = api.good("GET", "/api")
    create = described["/app_instances"]["create"]["bodyParamSchema"]["properties"]
    assert ("template_override" in create) is there
    assert ("/placement_policies" in described) is there
    volume = api.volume(api.create())
    assert ("placement_policy" in api.good("GET", volume)) is there
    policy = {"placement_policy": {"path": "/placement_policies/default"}}
    assert api.ask("PUT", volume, policy)[0] == (200 if there else 422)
    assert api.ask("GET", "/placement_policies")[0] == (200 if there else 404)


@each_pair
def test_the_description_has_what_the_sdk_reads(speak: Any, product: str, version: str) -> None:
    api = speak(product, version)
    described = api.ask("GET", "/api")[1]
    assert described["version"] == version
    for metric in ("/metrics/io/:metric", "/metrics/hw/:metric"):
        assert described[metric]["read"]["urlParamSchema"]["metric"]["enum"]
    assert any(path.endswith("/metadata") for path in described)


@pytest.mark.parametrize("product", list(SERVED))
def test_volumes_grow_online_from_3_0_on(speak: Any, product: str) -> None:
    api = speak(product, "v2.1")
    allowed = product_version(product) >= (3,)
    grown = api.ask("PUT", api.volume(api.create()), {"size": 2})[0]
    assert grown == (200 if allowed else 400)


def test_a_newer_product_is_as_3_3() -> None:
    for api in ("v2.1", "v2.2", "v2.3"):
        old, new = Dialect(api, (3, 3)), Dialect(api, (5, 1, 1, 0))
        for name in vars(Dialect):
            if isinstance(getattr(Dialect, name), property):
                assert getattr(old, name) == getattr(new, name)
