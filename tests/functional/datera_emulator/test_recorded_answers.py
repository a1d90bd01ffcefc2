# SPDX-License-Identifier: Apache-2.0
"""Answers have the keys and types of those recorded from an array.

The recordings are not part of this repository: the environment variable ``DATERA_RECORDED`` names
the directory that has them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.emulated_client import INITIATOR, Client

DIRECTORY = os.environ.get("DATERA_RECORDED", "")

pytestmark = pytest.mark.skipif(
    not Path(DIRECTORY).is_dir() or not DIRECTORY,
    reason="DATERA_RECORDED does not name a directory with recorded answers of an array",
)

# Known only from product 3.3 on, and so in no recording.
NEWER = {"placement_policy"}


def recorded(name: str) -> Any:
    return json.loads((Path(DIRECTORY) / name).read_text())


def kind(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Return where one of our answers has other keys or types than a recorded one."""
    if kind(ours) != kind(theirs):
        return [f"{path}: {kind(ours)} instead of {kind(theirs)}"]
    if isinstance(ours, dict):
        found = [f"{path}/{key}: missing" for key in theirs.keys() - ours.keys()]
        found += [f"{path}/{key}: too much" for key in ours.keys() - theirs.keys() - NEWER]
        for key in ours.keys() & theirs.keys():
            found += differences(ours[key], theirs[key], f"{path}/{key}")
        return found
    if isinstance(ours, list) and ours and theirs:
        return differences(ours[0], theirs[0], f"{path}[]")
    return []


@pytest.fixture
def old(emulator: Emulator, client: Client) -> Client:
    """A client that speaks the recordings' version."""
    client.version = "v2.1"
    return client


def test_lists_are_shown_as_recorded(old: Client) -> None:
    made = old.create()
    storage = made["storage_instances"][0]
    for path, names in {
        "/app_instances": ("ai_list", "si_list_0", "vol_list_0"),
        f"{made['path']}/storage_instances": ("si_list_1", "vol_list_1"),
        f"{storage['path']}/volumes": ("vol_list_2",),
    }.items():
        ours = old.ask("GET", path).json()
        for name in names:
            assert differences(ours, recorded(f"test_api_21_{name}.json")) == [], name


def test_a_performance_policy_in_a_volume_is_shown_as_recorded(old: Client) -> None:
    made = old.create()
    policy = recorded("test_api_21_ai_list.json")["data"][1]["storage_instances"][0]["volumes"][0][
        "performance_policy"
    ]
    wish = {key: value for key, value in policy.items() if key != "path"}
    volume = made["storage_instances"][0]["volumes"][0]["path"]
    old.good("POST", f"{volume}/performance_policy", wish)
    assert differences(old.good("GET", volume)["performance_policy"], policy) == []


def test_an_app_instance_is_shown_as_recorded(old: Client) -> None:
    made = old.create()
    ours = old.ask("GET", made["path"]).json()
    theirs = recorded("cinder_v21_app_instance_get.json")
    # That one was trimmed by hand; the lists above have the key.
    assert differences(ours, theirs) == [
        "/data/deployment_state: too much",
        "/data/storage_instances[]/volumes[]/deployment_state: too much",
    ]


def test_acl_initiator_group_and_snapshots_are_shown_as_recorded(old: Client) -> None:
    made = old.create()
    old.allow(made)
    member = {"path": f"/initiators/{INITIATOR}"}
    group = old.good("POST", "/initiator_groups", {"name": "group", "members": [member]})
    acl = made["storage_instances"][0]["acl_policy"]["path"]
    old.good("PUT", acl, {"initiators": [], "initiator_groups": [{"path": group["path"]}]})
    assert differences(old.good("GET", acl), recorded("cinder_v21_acl_policy.json")) == []
    theirs = recorded("cinder_v21_initiator_group.json")
    assert differences(group, theirs) == ["/tenant: too much"]
    volume = made["storage_instances"][0]["volumes"][0]["path"]
    old.good("POST", f"{volume}/snapshots", {})
    ours = old.good("GET", f"{volume}/snapshots")
    assert differences(ours, recorded("cinder_v21_snapshots_list_partial.json")["data"]) == []
