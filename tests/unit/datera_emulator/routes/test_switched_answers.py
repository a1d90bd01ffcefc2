# SPDX-License-Identifier: Apache-2.0
"""Each guess about an array can be turned round."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

WRONG = {"name": "admin", "password": "passwort"}
RIGHT = {"name": "admin", "password": "password"}


def test_wrong_passwords_lock_a_user_out_for_a_while(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(lockout_failures=3, lockout_seconds=60))
    for _ in range(2):
        assert api.refused("PUT", "/login", WRONG)[0] == 401
    api.log_in()
    for _ in range(3):
        assert api.refused("PUT", "/login", WRONG)[0] == 401
    assert api.refused("PUT", "/login", RIGHT)[0] == 401
    api.good("GET", "/system")
    api.clock += 60 * 10**9
    api.log_in()


def test_without_the_switch_nobody_is_locked_out(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(lockout_failures=0))
    for _ in range(20):
        assert api.refused("PUT", "/login", WRONG)[0] == 401
    api.log_in()


def test_logins_and_the_description_may_be_wrapped_from_2_2_on(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(wrapped_login=True, wrapped_api=True))
    assert set(api.ask("PUT", "/login", RIGHT)[1]["data"]) == {"key", "version", "request_time"}
    assert "/app_instances" in api.ask("GET", "/api")[1]["data"]
    api.version = "v2.1"
    assert "key" in api.ask("PUT", "/login", RIGHT)[1]
    assert "/app_instances" in api.ask("GET", "/api")[1]


def test_validation_errors_may_have_status_400(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(validation_status="400"))
    status, body = api.ask("POST", "/tenants", {"colour": "blue"})
    assert (status, body["http"], body["name"]) == (400, 400, "ValidationFailedError")


def test_a_restore_may_be_online_and_a_volume_may_shrink(make_api: MakeApi) -> None:
    at_once = {"snapshot_creating_reads": "0", "restore_reads": "0", "resize_reads": "0"}
    api = make_api(switches=Switches(online_restore=True, shrink=True).changed(at_once))
    made = api.create()
    point = api.good("POST", f"{made['path']}/snapshots", {})["utc_ts"]
    api.good("PUT", api.volume(made), {"restore_point": point})
    api.good("PUT", made["path"], {"restore_point": point})
    api.good("PUT", api.volume(made), {"size": 5})
    assert api.good("PUT", api.volume(made), {"size": 2})["size"] == 2


def test_volumes_may_be_larger_from_2_2_on(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api(switches=Switches(largest_volume_gib=262144))
    # Not every file system has files of this size.
    monkeypatch.setattr(api.cluster.files, "resize", lambda _name, _size: None)
    path = api.volume(api.create())
    api.version = "v2.1"
    assert api.refused("PUT", path, {"size": 32769})[0] == 422
    api.version = "v2.2"
    assert api.good("PUT", path, {"size": 262144})["size"] == 262144
    assert api.refused("PUT", path, {"size": 262145})[0] == 422


def volume(size: int) -> dict[str, Any]:
    return {"name": "volume-2", "size": size}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/storage_instances/storage-1/volumes", volume(32769)),
        ("POST", "/storage_instances", {"name": "storage-2", "volumes": [volume(32769)]}),
        ("PUT", "", {"storage_instances": [{"name": "storage-2", "volumes": [volume(32769)]}]}),
    ],
)
def test_a_volume_is_no_larger_than_the_switch_says_wherever_it_is_made(
    make_api: MakeApi, method: str, path: str, body: Any
) -> None:
    api = make_api(switches=Switches(nested_members="keep"))
    made = api.create()
    assert api.refused(method, made["path"] + path, body)[0] == 422


def test_snapshots_may_stand_against_a_delete(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(snapshots_prevent_delete=True))
    made = api.create()
    snapshot = api.good("POST", f"{api.volume(made)}/snapshots", {})
    api.offline(made)
    assert api.refused("DELETE", made["path"])[0] == 400
    api.good("DELETE", snapshot["path"])
    api.good("DELETE", made["path"])


@pytest.mark.parametrize(("scope", "status"), [("tenant", 200), ("cluster", 409)])
def test_names_may_be_unique_in_the_cluster(make_api: MakeApi, scope: str, status: int) -> None:
    api = make_api(switches=Switches(app_instance_names=scope))
    api.create("one")
    other = api.create("other")
    api.good("POST", "/tenants", {"name": "acme"})
    api.tenant = "/root/acme"
    assert api.ask("POST", "/app_instances", {"name": "one"})[0] == status
    two = api.good("POST", "/app_instances", {"name": "two"})
    assert api.ask("PUT", two["path"], {"name": "other"})[0] == status
    api.tenant = "/root"
    api.offline(other)
    api.good("DELETE", other["path"])
    api.create("third")


def test_metadata_may_be_replaced_and_wrapped(make_api: MakeApi) -> None:
    api = make_api(switches=Switches(metadata_merges=False, ecosystem_data_wrapped=True))
    path = f"{api.create()['path']}/int_ecosystem_data"
    api.good("PUT", path, {"data": {"a": "1"}})
    api.good("PUT", path, {"data": {"b": "2"}})
    assert api.ask("GET", path)[1]["data"] == {"data": {"b": "2"}}


def test_every_guess_of_one_word_is_one_of_those_that_are_known(api: Api) -> None:
    with pytest.raises(ValueError, match="validation_status"):
        Switches(validation_status="404")
