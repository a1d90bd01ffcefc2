# SPDX-License-Identifier: Apache-2.0
"""The os-brick connector: refused as by a target, and what it hands out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from os_brick import exception
from os_brick.initiator import connector as os_brick_connector

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.datera.emulated_client import INITIATOR, Client, connection_of


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    brick.install(initiator=INITIATOR)
    yield
    brick.uninstall()


def make_connector(**more: Any) -> Any:
    return os_brick_connector.InitiatorConnector.factory("iscsi", "sudo", conn={}, **more)


def refusal(properties: dict[str, Any], **more: Any) -> str:
    with pytest.raises(brick.TargetRefused) as caught:
        make_connector(**more).connect_volume(properties)
    return caught.value.reason


def single(instance: Any) -> dict[str, Any]:
    properties = connection_of(instance)
    for key in ("target_portals", "target_iqns", "target_luns"):
        del properties[key]
    return properties


def test_installing_reports_an_initiator_and_uninstalling_undoes_it() -> None:
    listed = os_brick_connector._get_connector_list()
    assert "datera_emulator.target.brick.FileConnector" in listed
    assert brick.FileConnector.get_connector_properties("sudo") == {"initiator": INITIATOR}
    brick.uninstall()
    assert "os_brick.initiator.connectors.iscsi.ISCSIConnector" in listed
    assert type(make_connector()).__name__ == "ISCSIConnector"
    assert brick.default_initiator() == brick.default_initiator()


def test_a_login_is_refused_as_by_a_target(client: Client) -> None:
    made = client.create()
    properties = connection_of(made)
    assert refusal({**properties, "target_iqns": [properties["target_iqn"] + "0"] * 2}) == (
        "target-not-found"
    )
    assert refusal(properties) == "initiator-not-allowed"
    client.allow(made)
    assert refusal({**properties, "target_luns": [1, 1]}) == "lun-not-found"
    client.good("PUT", made["path"], {"admin_state": "offline"})
    assert refusal(properties) == "target-unavailable"
    client.good("PUT", made["path"], {"admin_state": "online"})
    # An attempt counts as a read, so the next one gets in.
    assert refusal(single(made)) == "target-unavailable"
    device = make_connector().connect_volume(single(made))
    assert os.path.getsize(device["path"]) == 1 << 30


def test_chap_is_checked(client: Client) -> None:
    made = client.create()
    client.allow(made)
    auth = made["storage_instances"][0]["auth"]["path"]
    wish = {"type": "chap", "target_user_name": "user", "target_pswd": "123456789012"}
    client.good("PUT", auth, wish)
    properties = connection_of(made)
    assert refusal(properties) == "authentication-failed"
    wrong = {**properties, "auth_username": "user", "auth_password": "123456789013"}
    assert refusal(wrong) == "authentication-failed"
    right = {**wrong, "auth_password": "123456789012", "auth_method": "CHAP"}
    assert make_connector().connect_volume(right)["path"]


def test_groups_and_allow_all_let_in(client: Client) -> None:
    made = client.create()
    client.good("POST", "/initiators", {"id": INITIATOR, "name": "a host"})
    member = {"path": f"/initiators/{INITIATOR}"}
    group = client.good("POST", "/initiator_groups", {"name": "group", "members": [member]})
    acl = made["storage_instances"][0]["acl_policy"]["path"]
    client.good("PUT", acl, {"initiator_groups": [{"path": group["path"]}]})
    assert make_connector().connect_volume(single(made))
    client.good("PUT", acl, {"initiator_groups": []})
    assert refusal(single(made)) == "initiator-not-allowed"


def test_multipath_logs_in_at_every_portal_and_single_path_at_one(
    emulator: Emulator, client: Client
) -> None:
    made = client.create()
    client.allow(made)
    properties = connection_of(made)
    connector = make_connector(use_multipath=True)
    device = connector.connect_volume(properties)
    assert {one.portal for one in emulator.cluster.sessions} == set(emulator.cluster.portals)
    assert len(emulator.cluster.portals) == 2
    assert "127.0.0.1" not in emulator.cluster.portals
    active = client.good("GET", made["path"])["storage_instances"][0]["active_initiators"]
    assert active == [{"path": f"/initiators/{INITIATOR}"}]
    connector.disconnect_volume(properties, device)
    make_connector().connect_volume(properties)
    assert len(emulator.cluster.sessions) == 1


def test_a_dead_portal_is_passed_over(client: Client) -> None:
    made = client.create()
    client.allow(made)
    properties = connection_of(made)
    properties["target_portals"][0] = "127.0.0.1:1"
    assert make_connector(use_multipath=True).connect_volume(properties)
    dead = {**single(made), "target_portal": "127.0.0.1:1"}
    with pytest.raises(exception.TargetPortalNotFound):
        make_connector().connect_volume(dead)


def test_disconnecting_ends_the_session_it_was_given_and_no_other(
    emulator: Emulator, client: Client
) -> None:
    made = client.create()
    client.allow(made)
    properties = connection_of(made)
    connector = make_connector()
    first, second = connector.connect_volume(properties), connector.connect_volume(properties)
    assert connector.get_volume_paths(properties) == [first["path"], second["path"]]
    make_connector().disconnect_volume(properties, first)
    (left,) = emulator.cluster.sessions
    assert left.id == second["session"]
    make_connector().disconnect_volume(properties, None)
    make_connector().disconnect_volume(properties, second, force=True, ignore_errors=True)
    assert len(emulator.cluster.sessions) == 0
    assert connector.get_volume_paths(properties) == []


def test_a_raw_disk_is_a_device_that_keeps_its_size(client: Client) -> None:
    made = client.create()
    client.allow(made)
    properties = connection_of(made)
    connector = make_connector(expect_raw_disk=True)
    device = connector.connect_volume(properties)
    assert device["type"] == "block"
    file = device["path"]
    assert not isinstance(file, str)
    assert connector.check_valid_device(file)
    file.seek((1 << 30) - 3)
    file.write(b"end")
    with pytest.raises(OSError, match="No space"):
        file.write(b"more")
    client.good("PUT", made["storage_instances"][0]["volumes"][0]["path"], {"size": 2})
    assert connector.extend_volume(properties) == 2 << 30
    assert file.write(b"more") == 4
    connector.disconnect_volume(properties, device)
    assert file.closed
    path = make_connector().connect_volume(properties)["path"]
    with open(path, "rb") as again:
        again.seek((1 << 30) - 3)
        assert again.read(7) == b"endmore"


def test_a_path_that_was_cut_off_is_as_long_as_the_volume_again(client: Client) -> None:
    made = client.create()
    client.allow(made)
    properties = connection_of(made)
    connector = make_connector()
    device = connector.connect_volume(properties)
    with open(device["path"], "wb") as image:
        image.write(b"image")
    client.good("PUT", made["storage_instances"][0]["volumes"][0]["path"], {"size": 2})
    os.truncate(device["path"], 5)
    connector.disconnect_volume(properties, device)
    assert os.path.getsize(device["path"]) == 2 << 30
    again = connector.connect_volume(properties)["path"]
    with open(again, "rb") as volume:
        assert volume.read(8) == b"image\0\0\0"
    assert os.stat(again).st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("how", ["offline", "storage", "acl"])
def test_a_dropped_session_takes_the_device_away(
    emulator: Emulator, client: Client, how: str
) -> None:
    made = client.create()
    client.allow(made)
    file = make_connector(expect_raw_disk=True).connect_volume(connection_of(made))["path"]
    file.write(b"alive")
    paths = {"offline": made["path"], "storage": made["storage_instances"][0]["path"]}
    if how in paths:
        answer = client.ask("PUT", paths[how], {"admin_state": "offline"})
        assert answer.status_code == 400
        assert "override this warning" in answer.json()["message"]
        client.good("PUT", paths[how], {"admin_state": "offline", "force": True})
    else:
        acl = made["storage_instances"][0]["acl_policy"]["path"]
        client.good("PUT", acl, {"initiators": []})
    with pytest.raises(OSError, match="Input/output error"):
        file.write(b"dead")
    assert len(emulator.cluster.sessions) == 0


def test_a_client_that_exits_is_logged_out(emulator: Emulator, client: Client) -> None:
    made = client.create()
    client.allow(made)
    make_connector().connect_volume(single(made))
    assert len(emulator.cluster.sessions) == 1
    brick.uninstall()
    client.good("PUT", made["path"], {"admin_state": "offline"})
