# SPDX-License-Identifier: Apache-2.0
"""Attaching and detaching hosts: access, admin state, and the requests that it costs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_volume.connection import Tenant
from tests.fixtures.datera.stored_objects import allowed
from tests.fixtures.datera.volume_records import multiattach_volume

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"


def test_a_connection_has_one_portal_or_all_with_multipath(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    single = driver.initialize_connection(volume, hosts.connector("one"))
    assert single["driver_volume_type"] == "iscsi"
    data = single["data"]
    assert data["target_portal"].endswith(":3260")
    assert data["target_lun"] == 0
    assert data["volume_id"] == volume.id
    assert "target_portals" not in data
    assert "auth_password" not in data
    several = driver.initialize_connection(volume, hosts.connector("one", multipath=True))["data"]
    assert len(set(several["target_portals"])) == 2
    assert several["target_iqns"] == [data["target_iqn"]] * 2
    assert several["target_luns"] == [0, 0]
    assert allowed(stored(volume)) == [ONE]


def test_the_first_host_sets_a_volume_online_and_the_last_sets_it_offline(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
    first = hosts(service).attach(volume, "one")
    second = hosts(service).attach(volume, "two")
    assert allowed(stored(volume)) == [ONE, TWO]
    hosts(service).detach(first)
    assert allowed(stored(volume)) == [TWO]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"
    hosts(service).attach(volume, "one")
    assert stored(volume).admin_state == "online"


def test_a_second_attachment_never_sets_offline_under_the_first(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
    hosts(service).attach(volume, "one")
    emulator.cluster.counters.reset()
    hosts(service).attach(volume, "two")
    assert emulator.cluster.counters.of("PUT", "/app_instances/:id") == 0


# A host's first attachment in a project creates its initiator, and its last one removes it.
@pytest.mark.parametrize(("already_there", "most"), [("one", (6, 6)), ("two", (7, 9))])
def test_an_attachment_costs_a_handful_of_requests(
    start_datera: StartDatera, emulator: Emulator, hosts: Any, already_there: str, most: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    hosts(service).attach(service.create_volume(1), already_there)
    emulator.cluster.counters.reset()
    attachment = hosts(service).attach(volume, "one")
    requests = [emulator.cluster.counters.requests.total()]
    emulator.cluster.counters.reset()
    hosts(service).detach(attachment)
    requests.append(emulator.cluster.counters.requests.total())
    to_attach, to_detach = most
    assert requests[0] <= to_attach
    assert requests[1] <= to_detach


def test_attaching_while_the_last_host_detaches_leaves_it_online(
    start_datera: StartDatera, stored: Stored, hosts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    driver.initialize_connection(volume, hosts.connector("one"))
    leaving, go_on = threading.Event(), threading.Event()
    set_offline = Tenant.set_offline

    def slowly(tenant: Tenant, ai: Any) -> Any:
        leaving.set()
        go_on.wait(10)
        return set_offline(tenant, ai)

    monkeypatch.setattr(Tenant, "set_offline", slowly)
    with ThreadPoolExecutor(2) as pool:
        leaver = pool.submit(driver.terminate_connection, volume, hosts.connector("one"))
        assert leaving.wait(10)
        comer = pool.submit(driver.initialize_connection, volume, hosts.connector("two"))
        with pytest.raises(FuturesTimeout):
            comer.result(0.5)
        go_on.set()
        leaver.result(10)
        comer.result(10)
    assert allowed(stored(volume)) == [TWO]
    assert stored(volume).admin_state == "online"


def test_detaching_without_a_connector_revokes_all_access(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    for host in ("one", "two"):
        driver.initialize_connection(volume, hosts.connector(host))
    driver.terminate_connection(volume, None, force=True)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_detaching_twice_is_no_error(start_datera: StartDatera, stored: Stored, hosts: Any) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    connector = hosts.connector("one")
    driver.initialize_connection(volume, connector)
    for _twice in range(2):
        assert driver.terminate_connection(volume, connector) is False
    assert driver.terminate_connection(volume, {"host": "one"}) is False
    assert stored(volume).admin_state == "offline"


@pytest.mark.parametrize("nobody", [{}, {"host": "one"}, {"host": "one", "initiator": None}])
def test_detaching_without_an_initiator_revokes_nobodys_access(
    start_datera: StartDatera, stored: Stored, hosts: Any, nobody: dict[str, Any]
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    hosts(service).attach(volume, "one")
    assert service.volume_manager.driver.terminate_connection(volume, nobody, force=True) is False
    assert allowed(stored(volume)) == [ONE]


@pytest.mark.parametrize("nobody", [{}, {"initiator": None}, {"initiator": ""}])
def test_a_connector_without_an_initiator_is_refused(
    start_datera: StartDatera, nobody: dict[str, Any]
) -> None:
    service = start_datera()
    with pytest.raises(exception.InvalidConnectorException, match="initiator"):
        service.volume_manager.driver.validate_connector({"host": "one", **nobody})


def test_the_service_sends_no_request_for_its_volumes_at_start(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    for _ in range(3):
        hosts(service).attach(service.create_volume(1), "one")
    emulator.cluster.counters.reset()
    service.volume_manager.init_host(service_id=1)
    assert {path for _method, path in emulator.cluster.counters.requests} <= {
        "/api_versions",
        "/login",
        "/system",
        "/app_instances",  # how many there are, for the scheduler
    }
