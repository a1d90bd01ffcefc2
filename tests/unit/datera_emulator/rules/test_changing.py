# SPDX-License-Identifier: Apache-2.0
"""Lists of storage instances and volumes inside the update of what holds them."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.switches import Limits, Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

VOLUME = {"name": "volume-1", "size": 1}
POLICY = {"name": "nightly", "interval": "1day", "retention_count": 7}


def sizes(api: Api, instance: Any) -> dict[str, dict[str, int]]:
    shown = api.good("GET", instance["path"])
    return {
        storage["name"]: {volume["name"]: volume["size"] for volume in storage["volumes"]}
        for storage in shown["storage_instances"]
    }


def test_nested_update_changes_or_creates_what_it_names(api: Api) -> None:
    made = api.create()
    wish = [
        {
            "name": "storage-1",
            "volumes": [{**VOLUME, "size": 3, "snapshot_policies": [POLICY]}],
            "auth": {"type": "chap", "target_user_name": "user", "target_pswd": "123456789012"},
        },
        {"name": "storage-2", "volumes": [VOLUME]},
    ]
    shown = api.good(
        "PUT",
        made["path"],
        {"storage_instances": wish, "snapshot_policies": [POLICY], "name": "other"},
    )
    assert sizes(api, made) == {"storage-1": {"volume-1": 3}, "storage-2": {"volume-1": 1}}
    assert shown["snapshot_policies"][0]["name"] == "nightly"
    assert shown["storage_instances"][0]["auth"]["type"] == "chap"
    assert shown["storage_instances"][0]["volumes"][0]["snapshot_policies"]
    path = shown["storage_instances"][1]["path"]
    more = [{**VOLUME, "performance_policy": {"total_iops_max": 5}}, {"name": "new", "size": 2}]
    api.good("PUT", path, {"volumes": [{**one, "name": f"{one['name']}"} for one in more]})
    assert sizes(api, made)["storage-2"] == {"volume-1": 1, "new": 2}
    assert len(list(api.cluster.files.names())) == 3


@pytest.mark.parametrize(
    ("storages", "status"),
    [
        ([{"name": "storage-1", "volumes": [{**VOLUME, "size": 0.5}]}], 422),
        ([{"name": "storage-1", "colour": "blue"}], 422),
        ([{"name": "storage-1"}, {"name": "storage-1"}], 422),
        ([{"name": "storage-1", "volumes": [VOLUME, VOLUME]}], 422),
        ([{"name": "storage-1", "volumes": [{**VOLUME, "size": 9, "replica_count": 4}]}], 400),
        ([{"name": "storage-1", "access_control_mode": "allow_all"}], 400),
        ([{"name": "storage-1"}, {"name": "new", "ip_pool": {"path": "/initiators/x"}}], 404),
        (
            [
                {"name": "storage-1", "volumes": [{**VOLUME, "size": 9}]},
                {"name": "new", "volumes": [VOLUME]},
                {"name": "newer", "auth": {"type": "chap"}},
            ],
            422,
        ),
    ],
)
def test_nested_update_with_one_wrong_part_changes_nothing(
    api: Api, storages: Any, status: int
) -> None:
    made = api.create()
    before = sizes(api, made)
    wish = {"name": "other", "storage_instances": storages}
    assert api.refused("PUT", made["path"], wish)[0] == status
    assert sizes(api, made) == before
    assert api.good("GET", made["path"])["name"] == "one"
    assert len(list(api.cluster.files.names())) == 1


@pytest.mark.parametrize(("word", "left"), [("refuse", None), ("keep", 2), ("remove", 1)])
def test_what_a_nested_list_does_not_name_follows_the_switch(
    make_api: MakeApi, word: str, left: int | None
) -> None:
    api = make_api(switches=Switches(nested_members=word))
    made = api.create()
    api.good("POST", f"{made['path']}/storage_instances", {"name": "storage-2"})
    storage = made["storage_instances"][0]["path"]
    api.good("POST", f"{storage}/volumes", {"name": "volume-2", "size": 1})
    api.offline(made)
    for path, wish in (
        (storage, {"volumes": [VOLUME]}),
        (made["path"], {"storage_instances": [{"name": "storage-1"}]}),
    ):
        if left is None:
            assert api.refused("PUT", path, wish)[0] == 400
        else:
            api.good("PUT", path, wish)
    left = left or 2
    assert len(sizes(api, made)) == len(sizes(api, made)["storage-1"]) == left
    assert len(list(api.cluster.files.names())) == left


def test_limits_hold_in_nested_updates(make_api: MakeApi) -> None:
    limits = Limits(storage_instances_per_app_instance=1, volumes_per_storage_instance=1)
    api = make_api(switches=Switches(limits=limits))
    made = api.create()
    body: Any = {"storage_instances": [{"name": "storage-1"}, {"name": "storage-2"}]}
    assert api.refused("PUT", made["path"], body)[0] == 400
    body = {"volumes": [VOLUME, {"name": "volume-2", "size": 1}]}
    assert api.refused("PUT", made["storage_instances"][0]["path"], body)[0] == 400


def test_a_change_that_fails_half_way_is_put_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.create()

    def fail(_size: int) -> str:
        raise OSError("no space")

    monkeypatch.setattr(api.cluster.files, "create", fail)
    volumes = [{**VOLUME, "size": 2}, {"name": "volume-2", "size": 1}]
    path = made["storage_instances"][0]["path"]
    assert api.refused("PUT", path, {"volumes": volumes})[0] == 500
    assert sizes(api, made) == {"storage-1": {"volume-1": 1}}
