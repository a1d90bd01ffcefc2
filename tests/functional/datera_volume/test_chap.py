# SPDX-License-Identifier: Apache-2.0
"""CHAP: a login for each volume, which a target asks for, and which stays while anybody uses it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_emulator.target import brick

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
SECRET = "chap-secret-15c"
CHAP = f"use_chap_auth = True\nchap_username = cinder\nchap_password = {SECRET}\n"
COMMON = "datera_chap_secret_per_volume = False\n"
SHARED = {"multiattach": "<is> True"}


def auth_of(app_instance: Any) -> tuple[str, str, str]:
    """What the cluster asks of those who log in."""
    ((storage, _volume),) = app_instance.volumes()
    auth = storage.auth
    return auth.type, auth.target_user_name, auth.target_pswd


def handed_out(connection: Any) -> tuple[str, str, str]:
    """The same as the driver tells it to the host."""
    data = connection["data"]
    return data["auth_method"].lower(), data["auth_username"], data["auth_password"]


def configure(service: CinderService, **changes: Any) -> None:
    """Change what the section says of CHAP, as a restart with another cinder.conf would."""
    driver = service.volume_manager.driver
    settings = driver.settings
    driver._settings = dataclasses.replace(
        settings, chap=dataclasses.replace(settings.chap, **changes)
    )


@pytest.fixture
def this_host() -> Iterator[str]:
    """This process can attach volumes; its initiator's name."""
    yield brick.install()
    brick.uninstall()


def connector_of_brick() -> Any:
    from os_brick.initiator import connector

    return connector.InitiatorConnector.factory("ISCSI", "", device_scan_attempts=1)


def test_a_host_that_knows_one_volumes_login_knows_no_others(
    start_datera: StartDatera, stored: Stored, this_host: str
) -> None:
    from os_brick import exception as brick_exception

    service = start_datera(CHAP)
    driver = service.volume_manager.driver
    first, second = service.create_volume(1), service.create_volume(1)
    host = {"initiator": this_host, "host": "here", "multipath": False}
    connections = [driver.initialize_connection(one, host) for one in (first, second)]
    logins = [handed_out(one) for one in connections]
    assert logins == [auth_of(stored(first)), auth_of(stored(second))]
    assert logins[0][1] != logins[1][1]
    assert len({*(secret for _method, _user, secret in logins), SECRET}) == 3

    brick_connector = connector_of_brick()
    opened = brick_connector.connect_volume(connections[0]["data"])
    brick_connector.disconnect_volume(connections[0]["data"], opened)
    _method, user, secret = logins[0]
    stolen = {**connections[1]["data"], "auth_username": user, "auth_password": secret}
    with pytest.raises(brick_exception.BrickException):
        brick_connector.connect_volume(stolen)
    configured = {**stolen, "auth_username": "cinder", "auth_password": SECRET}
    with pytest.raises(brick_exception.BrickException):
        brick_connector.connect_volume(configured)


def test_a_volume_attached_with_the_common_secret_keeps_it_until_nobody_is_left(
    start_datera: StartDatera, stored: Stored, hosts: Any, emulator: Emulator
) -> None:
    service = start_datera(CHAP + COMMON)
    driver = service.volume_manager.driver
    volume = service.create_volume(1, volume_type=service.create_volume_type("shared", SHARED))
    first = hosts(service).attach(volume, "one")
    common = ("chap", "cinder", SECRET)
    assert auth_of(stored(volume)) == common

    configure(service, per_volume=True)
    emulator.cluster.counters.reset()
    second = hosts(service).attach(volume, "two")
    assert (second.connection_info["auth_username"], auth_of(stored(volume))) == ("cinder", common)
    assert not [path for _method, path in emulator.cluster.counters.requests if "/auth" in path]

    for one in (first, second):
        hosts(service).detach(one)
    own = handed_out(driver.initialize_connection(volume, hosts.connector("three")))
    assert own == auth_of(stored(volume))
    assert own[1].startswith("cinder-")

    configure(service, per_volume=False)
    assert handed_out(driver.initialize_connection(volume, hosts.connector("four"))) == own
    assert auth_of(stored(volume)) == own


def test_chap_switched_on_or_off_waits_for_those_who_are_in(
    start_datera: StartDatera,
    stored: Stored,
    hosts: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = start_datera(CHAP)
    configure(service, asked=False)
    driver, volume = service.volume_manager.driver, service.create_volume(1)
    driver.initialize_connection(volume, hosts.connector("one"))
    configure(service, asked=True)
    data = driver.initialize_connection(volume, hosts.connector("two"))["data"]
    assert ("auth_password" in data, auth_of(stored(volume))[0]) == (False, "none")
    assert "stays without until it is detached" in caplog.text
    driver.terminate_connection(volume, None, force=True)

    own = handed_out(driver.initialize_connection(volume, hosts.connector("one")))
    configure(service, asked=False)
    assert handed_out(driver.initialize_connection(volume, hosts.connector("two"))) == own
    assert auth_of(stored(volume)) == own
    driver.terminate_connection(volume, None, force=True)
    assert (
        "auth_password" not in driver.initialize_connection(volume, hosts.connector("one"))["data"]
    )
    assert auth_of(stored(volume))[0] == "none"


def test_after_a_change_of_the_secret_what_is_attached_is_left_alone_and_told(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    from datera_volume.operations.chap import Credentials

    service = start_datera(CHAP)
    driver, volume = service.volume_manager.driver, service.create_volume(1)
    driver.initialize_connection(volume, hosts.connector("one"))
    before = auth_of(stored(volume))
    configure(service, common=Credentials("cinder", "another-secret"))
    with pytest.raises(exception.VolumeBackendAPIException, match="restore the previous values"):
        driver.initialize_connection(volume, hosts.connector("two"))
    ((storage, _volume),) = stored(volume).volumes()
    assert (auth_of(stored(volume)), len(storage.initiators)) == (before, 1)
    driver.terminate_connection(volume, hosts.connector("one"))
    after = handed_out(driver.initialize_connection(volume, hosts.connector("two")))
    assert after == auth_of(stored(volume)) != before


def test_a_volume_renamed_by_a_migration_keeps_its_login(
    start_datera: StartDatera, stored: Stored, hosts: Any, connect: Any, emulator: Emulator
) -> None:
    service = start_datera(CHAP)
    driver = service.volume_manager.driver
    source, target = service.create_volume(1), service.create_volume(1)
    before = handed_out(driver.initialize_connection(target, hosts.connector("one")))
    tenant = connect(emulator).tenant()
    tenant.delete_app_instance(tenant.app_instance(f"OS-{source.id}"))
    tenant.rename(tenant.app_instance(f"OS-{target.id}"), f"OS-{source.id}")
    again = driver.initialize_connection(source, hosts.connector("two"))
    assert handed_out(again) == before == auth_of(stored(source))


def test_no_access_is_granted_before_chap_is_set(
    start_datera: StartDatera, stored: Stored, hosts: Any, emulator: Emulator
) -> None:
    service = start_datera(CHAP)
    driver, volume = service.volume_manager.driver, service.create_volume(1)
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=".*/auth", times=2)
    emulator.cluster.counters.reset()
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        driver.initialize_connection(volume, hosts.connector("one"))
    assert not [path for _method, path in emulator.cluster.counters.requests if "acl" in path]
    assert handed_out(driver.initialize_connection(volume, hosts.connector("one")))[0] == "chap"
