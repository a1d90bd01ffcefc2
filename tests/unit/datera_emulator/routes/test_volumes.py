# SPDX-License-Identifier: Apache-2.0
"""What may be done to volumes, their snapshots and their clones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from datera_emulator.state.model import Volume
from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi


def available(api: Api, path: str) -> str:
    for _ in range(5):
        if api.good("GET", path)["op_state"] == "available":
            return path
    raise AssertionError(f"{path} never became available")


def write(api: Api, volume: Volume, content: bytes) -> None:
    with api.cluster.files.path(volume.file).open("r+b") as file:
        file.write(content)


def read(api: Api, volume: Volume, length: int = 5) -> bytes:
    with api.cluster.files.path(volume.file).open("rb") as file:
        return bytes(file.read(length))


def only_volume(api: Api, instance: Any) -> Volume:
    ((_, volume),) = api.cluster.app_instances[instance["id"]].volumes()
    return volume


def test_a_volume_only_grows(api: Api) -> None:
    made = api.create()
    path = api.volume(made)
    assert api.good("PUT", path, {"size": 3})["size"] == 3
    (volume,) = api.cluster.volumes()
    assert api.cluster.files.path(volume.file).stat().st_size == 3 << 30
    assert api.refused("PUT", path, {"size": 2})[0] == 400
    assert api.refused("PUT", path, {"size": 32769})[0] == 422
    assert api.refused("PUT", path, {"size": 4, "force": True})[0] == 422


def test_growing_online_depends_on_the_product(make_api: MakeApi) -> None:
    api = make_api("2.2.7.1")
    made = api.create()
    assert api.refused("PUT", api.volume(made), {"size": 2})[0] == 400
    api.offline(made)
    api.good("PUT", api.volume(made), {"size": 2})
    api = make_api("3.3.0.0", Switches(online_resize=False))
    api.good("PUT", made["path"], {"admin_state": "online"})
    assert api.refused("PUT", api.volume(made), {"size": 3})[0] == 400


def test_replicas_only_grow_and_only_offline(api: Api) -> None:
    made = api.create()
    path = api.volume(made)
    assert made["storage_instances"][0]["volumes"][0]["replica_count"] == 3
    assert api.refused("PUT", path, {"replica_count": 4})[0] == 400
    api.offline(made)
    assert len(api.good("PUT", path, {"replica_count": 4})["active_storage_nodes"]) == 4
    assert api.refused("PUT", path, {"replica_count": 3})[0] == 400


def test_placement_policies_need_product_and_api(make_api: MakeApi) -> None:
    api = make_api("3.3.0.0")
    path = api.volume(api.create())
    shown = api.good("GET", path)
    assert shown["placement_policy"]["resolved_path"] == "/placement_policies/default"
    policy = {"placement_policy": {"path": "/placement_policies/fast"}}
    assert api.refused("PUT", path, policy)[0] == 404
    api.good("POST", "/placement_policies", {"name": "fast"})
    assert api.good("PUT", path, policy)["placement_policy"]["path"].endswith("/fast")
    assert api.refused("DELETE", "/placement_policies/fast")[0] == 400
    api.version = "v2.1"
    assert api.refused("PUT", path, policy)[0] == 422
    assert "placement_policy" not in api.good("GET", path)


def test_a_performance_policy_is_absent_until_it_is_made(api: Api) -> None:
    volume = api.volume(api.create())
    path = f"{volume}/performance_policy"
    assert api.refused("GET", path)[0] == 404
    assert api.refused("PUT", path, {"total_iops_max": 5})[0] == 404
    assert api.refused("DELETE", path)[0] == 404
    assert api.refused("POST", path, {"total_iops_max": 10_000_001})[0] == 422
    api.good("POST", path, {"total_iops_max": 5})
    assert api.refused("POST", path, {})[0] == 409
    api.good("PUT", path, {"write_bandwidth_max": 0})
    shown = api.good("GET", volume)["performance_policy"]
    assert shown == {"path": path, "total_iops_max": 5, "write_bandwidth_max": 0}
    api.good("DELETE", path)
    assert "performance_policy" not in api.good("GET", volume)


def test_a_snapshots_id_is_not_padded_and_is_no_number(api: Api) -> None:
    path = f"{api.volume(api.create())}/snapshots"
    ids = []
    for nanoseconds in (7, 18_600_738, 100_000_000):
        api.clock = 1_446_076_293 * 10**9 + nanoseconds
        ids.append(api.good("POST", path, {})["utc_ts"])
    assert ids == ["1446076293.7", "1446076293.18600738", "1446076293.100000000"]
    again = api.good("POST", path, {})
    assert again["timestamp"] == "1446076293.100000001"
    assert re.fullmatch(re.escape(path) + r"/\d+\.\d+", again["path"])


def test_a_snapshot_is_creating_for_some_reads(api: Api) -> None:
    path = f"{api.volume(api.create())}/snapshots"
    made = api.good("POST", path, {})
    assert made["op_state"] == "creating"
    states = [api.good("GET", made["path"])["op_state"] for _ in range(3)]
    assert states == ["creating", "creating", "available"]
    (listed,) = api.good("GET", path)
    assert listed["op_state"] == "available"


def test_a_snapshots_uuid_is_taken_once(api: Api) -> None:
    path = f"{api.volume(api.create())}/snapshots"
    wish = {"uuid": "0bb34f0c-fea4-48e0-bf96-591120ac7e3c"}
    assert api.good("POST", path, wish)["uuid"] == wish["uuid"]
    status, body = api.ask("POST", path, wish)
    assert (status, body["name"], body["code"]) == (400, "InvalidRequestError", 15)
    assert api.refused("POST", path, {"name": "x"})[0] == 422


def test_restoring_needs_offline_and_a_snapshot_that_is_there(api: Api) -> None:
    made = api.create()
    volume = only_volume(api, made)
    write(api, volume, b"older")
    first = api.good("POST", f"{api.volume(made)}/snapshots", {})
    write(api, volume, b"newer")
    api.clock += 1
    second = api.good("POST", f"{api.volume(made)}/snapshots", {})
    restore = {"restore_point": first["utc_ts"]}
    assert "offline" in api.refused("PUT", api.volume(made), restore)[1]
    api.offline(made)
    assert "being created" in api.refused("PUT", api.volume(made), restore)[1]
    available(api, first["path"])
    assert api.refused("PUT", api.volume(made), {"restore_point": "1.1"})[0] == 404
    api.good("PUT", api.volume(made), restore)
    assert read(api, volume) == b"older"
    assert api.refused("GET", second["path"])[0] == 404
    assert len(list(api.cluster.files.names())) == 2


def test_the_switch_keeps_newer_snapshots(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(restore_keeps_newer_snapshots=True, snapshot_creating_reads=0))
    made = api.create()
    first = api.good("POST", f"{api.volume(made)}/snapshots", {})
    second = api.good("POST", f"{api.volume(made)}/snapshots", {})
    api.offline(made)
    api.good("PUT", api.volume(made), {"restore_point": first["utc_ts"]})
    api.good("GET", second["path"])


@pytest.mark.parametrize("kind", ["clone_src", "clone_volume_src", "clone_snapshot_src"])
def test_a_clone_starts_with_the_sources_data_and_goes_its_own_way(api: Api, kind: str) -> None:
    source = api.create("source")
    write(api, only_volume(api, source), b"alpha")
    snapshot = api.good("POST", f"{api.volume(source)}/snapshots", {})
    path = {
        "clone_src": source["path"],
        "clone_volume_src": api.volume(source),
        "clone_snapshot_src": available(api, snapshot["path"]),
    }[kind]
    clone = api.good("POST", "/app_instances", {"name": "clone", kind: {"path": path}})
    assert clone["op_state"] == "cloning"
    write(api, only_volume(api, source), b"omega")
    assert read(api, only_volume(api, clone)) == b"alpha"
    shown = [api.good("GET", clone["path"]) for _ in range(4)]
    assert [one.get("op_state") for one in shown] == ["cloning", "cloning", None, None]
    assert [one["storage_instances"][0]["op_state"] for one in shown][-1] == "available"
    assert clone["storage_instances"][0]["access"] != source["storage_instances"][0]["access"]


def test_a_clone_of_a_grown_volumes_snapshot_has_the_snapshots_size(api: Api) -> None:
    source = api.create("source")
    snapshot = api.good("POST", f"{api.volume(source)}/snapshots", {})
    api.good("PUT", api.volume(source), {"size": 2})
    body = {"name": "clone", "clone_snapshot_src": {"path": snapshot["path"]}}
    assert "being created" in api.refused("POST", "/app_instances", body)[1]
    available(api, snapshot["path"])
    clone = api.good("POST", "/app_instances", body)
    assert clone["storage_instances"][0]["volumes"][0]["size"] == 1


def test_a_clone_has_one_source_and_nothing_else(api: Api) -> None:
    source = api.create("source")
    reference = {"path": api.volume(source)}
    both = {"name": "clone", "clone_volume_src": reference, "clone_src": {"path": source["path"]}}
    assert api.refused("POST", "/app_instances", both)[0] == 422
    besides = {
        "name": "clone",
        "clone_volume_src": reference,
        "storage_instances": [{"name": "storage-1"}],
    }
    assert api.refused("POST", "/app_instances", besides)[0] == 422
    nowhere = {"name": "clone", "clone_volume_src": {"path": "/app_instances/nobody"}}
    assert api.refused("POST", "/app_instances", nowhere)[0] == 404


def test_a_snapshot_of_the_whole_instance_has_one_id_on_all_volumes(api: Api) -> None:
    made = api.create()
    storage = made["storage_instances"][0]["path"]
    api.good("POST", f"{storage}/volumes", {"name": "volume-2", "size": 1})
    whole = api.good("POST", f"{made['path']}/snapshots", {})
    for volume in ("volume-1", "volume-2"):
        (inner,) = api.good("GET", f"{storage}/volumes/{volume}/snapshots")
        assert inner["utc_ts"] == whole["utc_ts"]
    api.good("DELETE", whole["path"])
    assert api.good("GET", f"{storage}/volumes/volume-1/snapshots") == []
    assert len(list(api.cluster.files.names())) == 2


def test_an_instances_snapshot_is_cloned_and_restored_as_a_whole(api: Api) -> None:
    made = api.create()
    storage = made["storage_instances"][0]["path"]
    api.good("POST", f"{storage}/volumes", {"name": "volume-2", "size": 1})
    volumes = [volume for _, volume in api.cluster.app_instances[made["id"]].volumes()]
    for volume in volumes:
        write(api, volume, b"older")
    whole = api.good("POST", f"{made['path']}/snapshots", {})
    for volume in volumes:
        write(api, volume, b"newer")
    body = {"name": "clone", "clone_snapshot_src": {"path": whole["path"]}}
    assert "being created" in api.refused("POST", "/app_instances", body)[1]
    for _ in range(3):
        api.good("GET", made["path"])
    clone = api.good("POST", "/app_instances", body)
    copies = [volume for _, volume in api.cluster.app_instances[clone["id"]].volumes()]
    assert [read(api, copy) for copy in copies] == [b"older", b"older"]
    api.clock += 1
    later = api.good("POST", f"{made['path']}/snapshots", {})

    api.offline(made)
    api.good("DELETE", f"{storage}/volumes/volume-2/snapshots/{whole['utc_ts']}")
    restore = {"restore_point": whole["utc_ts"]}
    assert api.refused("PUT", made["path"], restore)[0] == 404
    assert [read(api, volume) for volume in volumes] == [b"newer", b"newer"]
    api.good("PUT", f"{storage}/volumes/volume-1", restore)
    assert [read(api, volume) for volume in volumes] == [b"older", b"newer"]
    assert api.refused("GET", later["path"])[0] == 404


def test_the_switch_forbids_cloning_an_instances_snapshot(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(instance_snapshots_clonable=False, snapshot_creating_reads=0))
    whole = api.good("POST", f"{api.create()['path']}/snapshots", {})
    body = {"name": "clone", "clone_snapshot_src": {"path": whole["path"]}}
    assert api.refused("POST", "/app_instances", body)[0] == 400


def test_a_restore_that_fails_half_way_changes_nothing_and_leaves_no_file(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.create()
    storage = made["storage_instances"][0]["path"]
    api.good("POST", f"{storage}/volumes", {"name": "volume-2", "size": 1})
    whole = api.good("POST", f"{made['path']}/snapshots", {})
    for _ in range(3):
        api.good("GET", made["path"])
    api.offline(made)
    before = sorted(api.cluster.files.names())
    copy, copied = api.cluster.files.copy, 0

    def fail(source: str, size: int) -> str:
        nonlocal copied
        copied += 1
        if copied == 2:
            raise OSError("no space")
        return copy(source, size)

    monkeypatch.setattr(api.cluster.files, "copy", fail)
    assert api.refused("PUT", made["path"], {"restore_point": whole["utc_ts"]})[0] == 500
    assert sorted(api.cluster.files.names()) == before


def test_metadata_merge_and_are_bounded(make_api: MakeApi) -> None:
    api = make_api("3.3.0.0")
    made = api.create()
    path = f"{made['path']}/int_ecosystem_data"
    api.good("PUT", path, {"data": {"a": "1"}})
    assert api.good("PUT", path, {"data": {"b": 2}}) == {"a": "1", "b": 2}
    assert api.refused("PUT", path, {"a": "1"})[0] == 422
    assert api.refused("PUT", path, {"data": {"c": "x" * 2048}})[0] == 400
    assert api.good("GET", path) == {"a": "1", "b": 2}
    assert api.refused("GET", f"{made['path']}/metadata")[0] == 404
    api = make_api("3.2.0.0")
    assert api.good("PUT", f"{made['path']}/metadata", {"c": True})["c"] is True
    assert api.refused("GET", path)[0] == 404
