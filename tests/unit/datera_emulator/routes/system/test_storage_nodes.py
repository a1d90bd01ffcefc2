# SPDX-License-Identifier: Apache-2.0
"""Storage nodes, and what becomes of volumes whose nodes are out of service."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.rules.admission import LoginRefused, admit
from datera_emulator.state.sessions import Session
from tests.fixtures.datera.emulated_api import Api, MakeApi

TOLD = ("health", "causes", "storage_state", "recovery_state", "availability_state")
INITIATOR = "iqn.1993-08.org.debian:01:abc"


def told(shown: Any) -> tuple[Any, ...]:
    return tuple(shown.get(key) for key in TOLD)


def with_replicas(api: Api, count: int) -> Any:
    volume = {"name": "volume-1", "size": 1, "replica_count": count}
    storage = {"name": "storage-1", "volumes": [volume]}
    made = api.good("POST", "/app_instances", {"name": "one", "storage_instances": [storage]})
    return api.good("GET", made["path"])


def test_each_node_that_a_volume_refers_to_is_there(api: Api) -> None:
    made = with_replicas(api, 5)
    storage = made["storage_instances"][0]
    references = storage["volumes"][0]["active_storage_nodes"]
    assert len(references) == 5
    for reference in (*references, *storage["active_storage_nodes"]):
        node = api.good("GET", reference["path"])
        assert node["path"] == reference["path"]
        assert node["volumes"] == [{"path": storage["volumes"][0]["path"]}]
        assert node["storage_instances"] == [{"path": storage["path"]}]
        assert (node["op_state"], node["health"]) == ("online", "ok")
        assert "causes" not in node
    nodes = api.good("GET", "/storage_nodes")
    assert [node["path"] for node in nodes] == [reference["path"] for reference in references]
    system = api.good("GET", "/system")
    assert sum(node["total_capacity"] for node in nodes) == system["total_capacity"]
    assert api.refused("GET", "/storage_nodes/nobody")[0] == 404


@pytest.mark.parametrize(
    ("state", "op_state"), [("offline", "offline"), ("decommission", "decommissioned")]
)
def test_a_volume_with_a_replica_on_a_node_out_of_service_is_degraded_until_it_is_rebuilt(
    api: Api, state: str, op_state: str
) -> None:
    made = with_replicas(api, 2)
    first = api.good("GET", "/storage_nodes")[0]["path"]
    assert api.good("PUT", first, {"admin_state": state})["op_state"] == op_state
    causes = [f"Storage node node-1 is {state}"]
    shown = api.good("GET", made["path"])
    storage = shown["storage_instances"][0]
    volume = storage["volumes"][0]
    assert told(volume) == ("warning", causes, "replicas_degraded", "recovery_pending", "available")
    assert volume["op_state"] == storage["op_state"] == "available"
    for holder in (shown, storage, api.good("GET", "/system"), api.good("GET", first)):
        assert told(holder)[:2] == ("warning", causes)
    api.good("PUT", first, {"admin_state": "online"})
    states = [api.good("GET", volume["path"]) for _ in range(3)]
    assert [one.get("recovery_state") for one in states] == ["recovery_in_progress"] * 2 + [None]
    assert told(states[2]) == ("ok", None, None, None, None)
    assert api.good("GET", "/system")["health"] == "ok"


def test_a_volume_without_a_living_replica_is_unavailable_and_its_hosts_are_cut_off(
    api: Api,
) -> None:
    made = with_replicas(api, 1)
    storage = api.cluster.app_instances[made["id"]].storage_instances["storage-1"]
    storage.access_control_mode = "allow_all"
    login = {"target": storage.iqn, "initiator": INITIATOR, "lun": 0}
    admit(api.cluster, login)
    session = Session(
        "1", INITIATOR, storage.iqn, portal="127.1.2.3", lun=0, volume_path="/volumes/volume-1"
    )
    api.cluster.sessions.add(session, lambda: None)
    first, second, *_ = (node["path"] for node in api.good("GET", "/storage_nodes"))
    api.good("PUT", second, {"admin_state": "offline"})
    assert api.good("GET", made["path"])["health"] == "ok"
    assert api.cluster.sessions.of(storage.iqn) == [session]
    api.good("PUT", first, {"admin_state": "offline"})
    assert api.cluster.sessions.of(storage.iqn) == []
    shown = api.good("GET", made["path"])["storage_instances"][0]
    assert (shown["op_state"], shown["health"]) == ("unavailable", "critical")
    assert shown["volumes"][0]["availability_state"] == "unavailable"
    assert shown["volumes"][0]["op_state"] == "unavailable"
    with pytest.raises(LoginRefused, match="not available"):
        admit(api.cluster, login)
    api.good("PUT", first, {"admin_state": "online"})
    admit(api.cluster, login)


def test_a_node_out_of_service_stays_so_after_a_restart(make_api: MakeApi) -> None:
    api = make_api()
    made = with_replicas(api, 1)
    path = api.good("GET", "/storage_nodes")[0]["path"]
    api.good("PUT", path, {"admin_state": "offline"})
    again = make_api()
    assert again.good("GET", path)["admin_state"] == "offline"
    assert again.good("GET", made["path"])["health"] == "critical"
    again.good("PUT", path, {})
    assert again.good("GET", path)["admin_state"] == "offline"
    assert again.refused("PUT", path, {"admin_state": "broken"})[0] == 422
    again.cluster.reset()
    again.log_in()
    assert again.good("GET", path)["admin_state"] == "online"
