# SPDX-License-Identifier: Apache-2.0
"""The published SDK, strict, does everything that ``/api`` says can be done.

The walk is made from the description that the emulator serves. A path or a verb that is served and
has no example here fails the test by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator, Switches
from tests.fixtures.datera.emulated_client import INITIATOR, Client
from tests.fixtures.datera.published_sdk import OpenSdk

Body = dict[str, Any]
PRODUCTS = {"2.1": "2.2.7.1", "2.2": "3.2.1.0", "2.3": "3.3.0.0"}
# The SDK does these itself, or they are there only to be listed.
NOT_WALKED = {"/login", "/logout", "/metrics/io/:metric", "/metrics/hw/:metric"}

POLICY = {"name": "nightly", "interval": "1day", "retention_count": 7}
LIMITS = {"total_iops_max": 5}
NETWORK = {"name": "path-1", "start_ip": "10.0.0.1", "range": 6, "netmask": 24}
AUTH = {"type": "chap", "target_user_name": "user", "target_pswd": "123456789012"}

AI = "/app_instances/:"
SI = f"{AI}/storage_instances/:"
VOLUME = f"{SI}/volumes/:"
TEMPLATE = "/app_templates/:"
STORAGE_TEMPLATE = f"{TEMPLATE}/storage_templates/:"
VOLUME_TEMPLATE = f"{STORAGE_TEMPLATE}/volume_templates/:"

# In this order things are made, and in the opposite order they go. ``:`` stands for what was made.
CREATED: dict[str, Body] = {
    "/tenants": {"name": "acme", "descr": "a tenant"},
    "/users": {"user_id": "alice", "full_name": "Alice Doe", "password": "correct_horse"},
    "/initiators": {"id": INITIATOR, "name": "a host"},
    "/initiator_groups": {"name": "group-1"},
    "/access_network_ip_pools": {"name": "pool-1", "network_paths": [NETWORK]},
    "/placement_policies": {"name": "fast", "max": [], "min": []},
    "/app_templates": {"name": "gold"},
    f"{TEMPLATE}/snapshot_policies": POLICY,
    f"{TEMPLATE}/storage_templates": {"name": "storage-1"},
    f"{STORAGE_TEMPLATE}/volume_templates": {"name": "volume-1", "size": 1},
    f"{VOLUME_TEMPLATE}/performance_policy": LIMITS,
    f"{VOLUME_TEMPLATE}/snapshot_policies": POLICY,
    "/app_instances": {"name": "one"},
    f"{AI}/snapshot_policies": POLICY,
    f"{AI}/storage_instances": {"name": "storage-1"},
    f"{SI}/volumes": {"name": "volume-1", "size": 1},
    f"{VOLUME}/performance_policy": LIMITS,
    f"{VOLUME}/snapshot_policies": POLICY,
    f"{VOLUME}/snapshots": {},
    f"{AI}/snapshots": {},
}
LINKED = {
    f"{SI}/acl_policy/initiators": f"/initiators/{INITIATOR}",
    f"{SI}/acl_policy/initiator_groups": "/initiator_groups/group-1",
    "/initiator_groups/:/members": f"/initiators/{INITIATOR}",
    "/users/:/roles": "/roles/viewer",
}
UPDATED: dict[str, Body] = {
    "/tenants/:": {"descr": "another"},
    "/users/:": {"full_name": "Alice Roe"},
    "/storage_nodes/:": {"admin_state": "online"},
    "/initiators/:": {"name": "another"},
    "/initiator_groups/:": {"members": []},
    "/access_network_ip_pools/:": {"network_paths": [NETWORK]},
    "/access_network_ip_pools/:/network_paths/:": {"vlan": 7},
    TEMPLATE: {"descr": "another"},
    f"{TEMPLATE}/snapshot_policies/:": {"retention_count": 8},
    STORAGE_TEMPLATE: {"ip_pool": "/access_network_ip_pools/default"},
    f"{STORAGE_TEMPLATE}/auth": AUTH,
    VOLUME_TEMPLATE: {"size": 2},
    f"{VOLUME_TEMPLATE}/performance_policy": LIMITS,
    f"{VOLUME_TEMPLATE}/snapshot_policies/:": {"retention_count": 8},
    AI: {"descr": "another", "admin_state": "offline", "force": True},
    f"{AI}/snapshot_policies/:": {"retention_count": 8},
    f"{AI}/metadata": {"key": "value"},
    f"{AI}/int_ecosystem_data": {"key": "value"},
    SI: {"admin_state": "offline"},
    f"{SI}/acl_policy": {"initiators": [], "initiator_groups": []},
    f"{SI}/auth": AUTH,
    VOLUME: {"size": 2},
    f"{VOLUME}/performance_policy": LIMITS,
    f"{VOLUME}/snapshot_policies/:": {"retention_count": 8},
}
SINGLE = re.compile(r".*/(auth|acl_policy|performance_policy|metadata|int_ecosystem_data)\Z")


class Walk:
    """Reaches what the API's templates stand for, with the SDK alone."""

    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk
        self._ids: dict[str, str] = {"/tenants": "root/acme"}

    def at(self, place: str) -> Any:
        """Return the SDK's endpoint or entity."""
        here, found = "", self._sdk
        for part in place.strip("/").split("/"):
            if part == ":":
                found = found.get(self._id(here))
            else:
                # The SDK itself says "metadata", whatever the product calls it.
                found = getattr(found, part.replace("int_ecosystem_data", "metadata"))
            here += f"/{part}"
        return found

    def create(self, place: str, body: Body) -> None:
        made = self.at(place).create(**body)
        if not SINGLE.match(place):
            self._ids.setdefault(place, made["path"].rpartition("/")[2])

    def _id(self, collection: str) -> str:
        if collection not in self._ids:  # what is there from the start
            self._ids[collection] = self.at(collection).list()[0]["path"].rpartition("/")[2]
        return self._ids[collection]


def place_of(template: str) -> str:
    return re.sub(r":\w+", ":", template.partition("(")[0])


def served(api: Any, verb: str) -> dict[str, str]:
    """Return the templates of what has this verb, by place."""
    return {
        place_of(template): template
        for template, verbs in api.items()
        if isinstance(verbs, dict) and verb in verbs and template not in NOT_WALKED
    }


@pytest.mark.parametrize("version", list(PRODUCTS))
def test_the_sdk_does_all_that_is_served(version: str, tmp_path: Path, open_sdk: OpenSdk) -> None:
    # An entity's path is where the SDK asks for it: so a tenant's must be the long one.
    switches = Switches(tenant_path_form="long")
    with Emulator(tmp_path / "e", sw_version=PRODUCTS[version], switches=switches) as emulator:
        plain = Client(f"http://127.0.0.1:{emulator.http_port}", version=f"v{version}").log_in()
        api = plain.good("GET", "/api")
        # It connects anew for each request: without TLS that takes a quarter of the time.
        sdk = open_sdk(emulator, version, secure=False)
        walk = Walk(sdk)
        emulator.cluster.counters.reset()

        creates = served(api, "create")
        assert creates.keys() <= CREATED.keys()
        for place, body in CREATED.items():
            if place in creates:
                walk.create(place, body)
        for place in served(api, "read"):
            found = walk.at(place)
            if not place.endswith(":"):
                found.get()
                found.list()
            else:
                found.reload()
        _update(walk, served(api, "update"))
        _delete(walk, served(api, "delete"))
        sdk.context.connection.logout()

        asked = emulator.cluster.counters.requests
        methods = {"create": "POST", "read": "GET", "update": "PUT", "delete": "DELETE"}
        missed = [
            f"{method} {template}"
            for verb, method in methods.items()
            for template in served(api, verb).values()
            if not asked[method, template] and template != "/api"
        ]
        assert missed == []


def _update(walk: Walk, updates: dict[str, str]) -> None:
    assert updates.keys() <= UPDATED.keys() | LINKED.keys()
    for place, path in LINKED.items():
        if place in updates:
            walk.at(place).add(path)
            walk.at(place).remove(path)
    for place, body in UPDATED.items():
        if place in updates:
            walk.at(place).set(**body)


def _delete(walk: Walk, deletes: dict[str, str]) -> None:
    single = [place for place in CREATED if SINGLE.match(place)]
    order: list[tuple[str, Callable[[Any], Any]]] = []
    for place in reversed(CREATED):
        one = place if place in single else f"{place}/:"
        order.append((one, (lambda found: found.get()) if place in single else lambda found: found))
    assert deletes.keys() <= {place for place, _ in order}
    for place, entity_of in order:
        if place in deletes:
            entity_of(walk.at(place)).delete()
