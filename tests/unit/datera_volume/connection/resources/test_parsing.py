# SPDX-License-Identifier: Apache-2.0
"""What decides about access, deletion and absence is never read out of an answer's silence."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from datera_volume.connection.errors import UnexpectedAnswer
from datera_volume.connection.resources.parsing import app_instance, initiators_in

STORAGE = "/app_instances/id-1/storage_instances/storage-1"
VOLUME = f"{STORAGE}/volumes/volume-1"
WHOLE: dict[str, Any] = {
    "id": "id-1",
    "name": "OS-1",
    "path": "/app_instances/id-1",
    "tenant": "/root",
    "admin_state": "online",
    "storage_instances": [
        {
            "name": "storage-1",
            "path": STORAGE,
            "access_control_mode": "deny_all",
            "auth": {"type": "chap", "target_user_name": "cinder"},
            "acl_policy": {
                "initiators": [{"path": "/initiators/iqn.a:one"}],
                "initiator_groups": [{"path": "/initiator_groups/hosts"}],
            },
            "volumes": [
                {
                    "name": "volume-1",
                    "path": VOLUME,
                    "size": 1,
                    "snapshots": [
                        {"utc_ts": "1500000000.1", "uuid": "u"},
                        {"path": f"{VOLUME}/snapshots/1500000000.2"},
                    ],
                }
            ],
        }
    ],
}
DECISIVE = (
    ("admin_state",),
    ("storage_instances",),
    ("storage_instances", 0, "access_control_mode"),
    ("storage_instances", 0, "auth"),
    ("storage_instances", 0, "auth", "type"),
    ("storage_instances", 0, "acl_policy"),
    ("storage_instances", 0, "acl_policy", "initiators"),
    ("storage_instances", 0, "acl_policy", "initiators", 0, "path"),
    ("storage_instances", 0, "acl_policy", "initiator_groups"),
    ("storage_instances", 0, "volumes"),
    ("storage_instances", 0, "volumes", 0, "snapshots"),
    ("storage_instances", 0, "volumes", 0, "snapshots", 0, "utc_ts"),
)
MISSING = object()


def changed(where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The answer with something else, or nothing, in one place."""
    whole = copy.deepcopy(WHOLE)
    parent: Any = whole
    for step in where[:-1]:
        parent = parent[step]
    if value is MISSING:
        del parent[where[-1]]
    else:
        parent[where[-1]] = value
    return whole


def test_a_complete_response_is_read() -> None:
    read = app_instance(WHOLE)
    storage = read.storage_instance
    assert read.online
    assert not storage.open_to_all
    assert (storage.auth_type, storage.auth_user) == ("chap", "cinder")
    assert storage.initiators == ("iqn.a:one",)
    assert storage.initiator_groups == ("/initiator_groups/hosts",)
    assert [one.utc_ts for one in read.volume.snapshots] == ["1500000000.1", "1500000000.2"]


@pytest.mark.parametrize("value", [MISSING, None, 7], ids=["missing", "null", "number"])
@pytest.mark.parametrize("where", DECISIVE, ids=lambda where: ".".join(map(str, where)))
def test_a_missing_required_field_is_not_an_empty_one(where: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(UnexpectedAnswer, match="OS-1"):
        app_instance(changed(where, value))


def test_an_unknown_access_control_mode_is_an_error() -> None:
    answer = changed(("storage_instances", 0, "access_control_mode"), "allow_some")
    with pytest.raises(UnexpectedAnswer, match=r"allow_some.*OS-1"):
        app_instance(answer)


def test_a_missing_initiator_list_is_not_an_empty_acl() -> None:
    assert initiators_in({"initiators": []}) == ()
    silent: dict[str, Any]
    for silent in ({}, {"initiators": None}, {"initiators": [{}]}, {"initiators": {}}):
        with pytest.raises(UnexpectedAnswer, match="initiators"):
            initiators_in(silent)


@pytest.mark.parametrize("said", [None, {}, {"path": None}, {"name": "x"}, 7])
def test_a_pool_that_an_answer_does_not_name_is_not_taken_for_any(said: Any) -> None:
    answer = copy.deepcopy(WHOLE)
    storage = answer["storage_instances"][0]
    storage["ip_pool"] = {"path": "/access_network_ip_pools/fast"}
    assert app_instance(answer).storage_instance.pool == "fast"
    storage["ip_pool"] = said
    silent = app_instance(answer)
    with pytest.raises(UnexpectedAnswer, match="no 'ip_pool'"):
        _ = silent.storage_instance.pool
