# SPDX-License-Identifier: Apache-2.0
"""What takes an array time takes some reads here, and says so meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.rules.admission import LoginRefused, admit
from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

RESIZE = ({"size": 2}, "volume_resize_in_progress", "resize_reads")
REPLICAS = ({"replica_count": 5}, "replica_change_in_progress", "replica_change_reads")
PLACEMENT = (
    {"placement_mode": "all_flash"},
    "placement_change_in_progress",
    "placement_change_reads",
)
OPERATIONS = pytest.mark.parametrize(("wish", "word", "switch"), [RESIZE, REPLICAS, PLACEMENT])


def states(shown: Any) -> tuple[Any, Any]:
    return shown["op_state"], shown.get("op_status")


def restored(api: Api) -> tuple[Any, Any]:
    """Make an offline app instance that is being restored, and what the answer says of it."""
    made = api.create()
    snapshot = api.good("POST", f"{api.volume(made)}/snapshots", {})
    for _ in range(3):
        api.good("GET", snapshot["path"])
    api.offline(made)
    return made, api.good("PUT", api.volume(made), {"restore_point": snapshot["utc_ts"]})


@OPERATIONS
@pytest.mark.parametrize("reads", [0, 1, 3])
def test_an_operation_goes_on_for_some_reads(
    make_api: MakeApi, wish: Any, word: str, switch: str, reads: int
) -> None:
    api = make_api(switches=Switches().changed({switch: str(reads)}))
    made = api.create()
    api.offline(made)
    seen = [api.good("PUT", api.volume(made), wish)]
    seen += [api.good("GET", api.volume(made)) for _ in range(reads + 1)]
    going_on = [(word, word)] * (reads + 1) if reads else [("available", None)]
    assert [states(one) for one in seen] == [*going_on, ("available", None)]


@OPERATIONS
def test_update_that_changes_nothing_begins_no_operation(
    api: Api, wish: Any, word: str, switch: str
) -> None:
    made = api.create()
    shown = made["storage_instances"][0]["volumes"][0]
    same = {key: shown[key] for key in wish}
    assert states(api.good("PUT", api.volume(made), same)) == ("available", None)


@pytest.mark.parametrize("path", ["", "/storage_instances", "/storage_instances/storage-1"])
def test_each_read_of_what_holds_a_volume_is_a_read_of_it(api: Api, path: str) -> None:
    made = api.create()
    api.good("PUT", api.volume(made), {"size": 2})
    api.good("GET", f"{made['path']}{path}")
    assert states(api.good("GET", api.volume(made))) == ("available", None)


def test_a_list_of_volumes_is_one_read_however_many_are_on_it(api: Api) -> None:
    made = api.create()
    volumes = api.volume(made).rpartition("/")[0]
    api.good("POST", volumes, {"name": "volume-2", "size": 1})
    api.offline(made)
    api.good("PUT", api.volume(made), {"replica_count": 5})
    words = [api.good("GET", volumes)[0].get("op_status") for _ in range(3)]
    assert words == ["replica_change_in_progress"] * 2 + [None]


def test_a_restore_goes_on_for_some_reads_and_no_host_has_the_volume_meanwhile(api: Api) -> None:
    made, answer = restored(api)
    word = "internal_operation_in_progress"
    assert states(answer) == (word, word)
    shown = api.good("PUT", made["path"], {"admin_state": "online"})
    assert shown["storage_instances"][0]["op_state"] == "unavailable"
    storage = api.cluster.app_instances[made["id"]].storage_instances["storage-1"]
    storage.unavailable_reads = 0
    storage.access_control_mode = "allow_all"
    login = {"target": storage.iqn, "initiator": "iqn.1993-08.org.debian:01:abc", "lun": 0}
    for _ in range(2):
        with pytest.raises(LoginRefused, match="not available"):
            admit(api.cluster, login)
    admit(api.cluster, login)
    assert states(api.good("GET", api.volume(made))) == ("available", None)


def test_an_operation_may_be_told_in_op_status_alone_and_rest_too(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(operation_in_op_state=False, idle_op_status_shown=True))
    path = api.volume(api.create())
    assert states(api.good("GET", path)) == ("available", "none")
    assert states(api.good("PUT", path, {"size": 2})) == ("available", "volume_resize_in_progress")
    api.good("GET", path)
    assert states(api.good("GET", path)) == ("available", "none")


def test_a_volume_may_not_be_changed_while_an_operation_goes_on(make_api: MakeApi) -> None:
    api = make_api()
    made, _ = restored(api)
    path = api.volume(made)
    changes: tuple[Any, ...] = (RESIZE[0], REPLICAS[0], PLACEMENT[0])
    snapshot = api.good("GET", f"{path}/snapshots")[0]["utc_ts"]
    for wish in (*changes, {"restore_point": snapshot}):
        status, message = api.refused("PUT", path, wish)
        assert (status, "internal_operation_in_progress" in message) == (400, True)
    api.good("PUT", path, {"size": 1})
    for _ in range(2):
        api.good("GET", path)
    for wish in changes:
        api.good("PUT", path, wish)
        for _ in range(2):
            assert api.refused("PUT", path, {"size": 9})[0] == 400
            if states(api.good("GET", path))[1] == RESIZE[1]:
                break


def test_a_volume_may_be_changed_again_at_once_where_the_switch_says_so(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(change_during_operation="allow"))
    path = api.volume(api.create())
    assert states(api.good("PUT", path, RESIZE[0]))[1] == RESIZE[1]
    assert states(api.good("PUT", path, PLACEMENT[0]))[1] == PLACEMENT[1]
    assert api.good("PUT", path, {"size": 9})["size"] == 9
