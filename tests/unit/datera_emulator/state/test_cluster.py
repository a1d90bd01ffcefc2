# SPDX-License-Identifier: Apache-2.0
"""What is committed is there after a restart, and what was not is undone."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from datera_emulator.state.store import Store
from tests.fixtures.datera.emulated_api import Api, MakeApi

KEPT = (
    "/app_instances",
    "/app_templates",
    "/tenants",
    "/initiators",
    "/initiator_groups",
    "/access_network_ip_pools",
    "/placement_policies",
    "/users",
    "/system",
)


def test_everything_is_there_after_a_restart(make_api: MakeApi) -> None:
    api = make_api()
    api.good("POST", "/tenants", {"name": "acme"})
    api.good("POST", "/initiators", {"id": "iqn.1993-08.org.debian:01:abc", "name": "host"})
    member = {"path": "/initiators/iqn.1993-08.org.debian:01:abc"}
    api.good("POST", "/initiator_groups", {"name": "group", "members": [member]})
    instance = api.create("kept", create_mode="openstack", descr="a note")
    storage = instance["storage_instances"][0]["path"]
    api.good("PUT", f"{storage}/acl_policy/initiators", {"op": "add", **member})
    credentials = {"type": "chap", "target_user_name": "user", "target_pswd": "123456789012"}
    api.good("PUT", f"{storage}/auth", credentials)
    api.good("POST", f"{api.volume(instance)}/snapshots", {})
    api.good("POST", f"{api.volume(instance)}/performance_policy", {"total_iops_max": 7})
    api.good("PUT", f"{instance['path']}/int_ecosystem_data", {"data": {"k": "v"}})
    policy = {"name": "nightly", "interval": "1day", "retention_count": 7}
    volume = {"name": "volume-1", "size": 1, "snapshot_policies": [policy]}
    template = {
        "name": "gold",
        "snapshot_policies": [policy],
        "storage_templates": [
            {"name": "storage-1", "auth": credentials, "volume_templates": [volume]}
        ],
    }
    path = api.good("POST", "/app_templates", template)["path"]
    api.good("POST", "/app_instances", {"name": "bound", "app_template": {"path": path}})
    api.good("POST", f"{instance['path']}/snapshot_policies", policy)
    api.good("POST", f"{instance['path']}/snapshots", {})
    api.good("POST", "/access_network_ip_pools", {"name": "pool-1", "network_paths": []})
    api.good("POST", "/placement_policies", {"name": "fast"})
    user = {"user_id": "alice", "full_name": "Alice Doe", "password": "correct_horse"}
    api.good("POST", "/users", {**user, "roles": [{"path": "/roles/viewer"}]})
    before = {path: api.good("GET", path) for path in KEPT}
    secret = api.cluster.app_instances[instance["id"]].storage_instances["storage-1"].auth

    again = make_api()
    for _ in range(3):
        again.good("GET", "/app_instances")
        seen_again = again.good("GET", "/app_instances")
    assert again.cluster.app_instances[instance["id"]].storage_instances["storage-1"].auth == secret
    for path, seen in before.items():
        now = seen_again if path == "/app_instances" else again.good("GET", path)
        assert _settled(now) == _settled(seen)
    assert again.good("GET", f"{instance['path']}/int_ecosystem_data") == {"k": "v"}
    again.good("PUT", "/login", {"name": "alice", "password": "correct_horse"})


def _settled(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _settled(value) for key, value in document.items() if key != "op_state"}
    if isinstance(document, list):
        return [_settled(item) for item in document]
    return document


def test_a_file_that_no_request_acknowledged_goes_at_the_next_start(make_api: MakeApi) -> None:
    api = make_api()
    instance = api.create()
    orphan = api.cluster.files.create(1000)
    (volume,) = api.cluster.volumes()
    api.cluster.files.resize(volume.file, volume.size_bytes + 4096)

    again = make_api()
    assert list(again.cluster.files.names()) == [volume.file]
    assert again.cluster.files.path(volume.file).stat().st_size == 1 << 30
    assert orphan != volume.file
    assert again.good("GET", instance["path"])["name"] == "one"


def test_a_change_that_cannot_be_stored_is_refused_and_undone(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = api.create("kept"), api.create("gone")
    api.offline(gone)
    before = api.good("GET", "/app_instances")

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(Store, "write", fail)
        for method, path, body in (
            ("POST", "/tenants", {"name": "acme"}),
            ("POST", "/app_instances", {"name": "new"}),
            ("PUT", kept["path"], {"name": "other"}),
            ("DELETE", gone["path"], {}),
        ):
            status, message = api.refused(method, path, body)
            assert status == 500
            assert "OperationalError" in message
    assert _settled(api.good("GET", "/app_instances")) == _settled(before)
    assert api.good("GET", "/app_instances/kept")["id"] == kept["id"]
    assert api.refused("GET", "/app_instances/other")[0] == 404
    assert len(api.good("GET", "/tenants")) == 1
    assert api.cluster.index.volumes == len(list(api.cluster.files.names())) == 2
    api.create("new")


def test_many_app_instances_stay_quick_to_find(make_api: MakeApi) -> None:
    api = make_api()
    for number in range(20):
        api.create(f"name-{number}")
    index = api.cluster.index
    assert (index.volumes, index.snapshots) == (20, 0)
    victim = api.good("GET", "/app_instances/name-7")
    api.good("PUT", victim["path"], {"name": "name-77"})
    assert api.refused("GET", "/app_instances/name-7")[0] == 404
    assert api.good("GET", "/app_instances/name-77")["id"] == victim["id"]
    api.offline(victim)
    api.good("DELETE", victim["path"])
    assert index.volumes == 19
    assert len(list(api.cluster.files.names())) == 19
