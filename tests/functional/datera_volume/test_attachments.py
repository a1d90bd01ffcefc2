# SPDX-License-Identifier: Apache-2.0
"""Who is let in, and who is the last to leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator, brick
from datera_emulator.faults import Answer, Fault
from datera_volume.connection import Tenant

if TYPE_CHECKING:
    from tests.fixtures.cinder_service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"


def allowed(app_instance: Any) -> list[str]:
    """The initiators that the cluster lets in, by their names."""
    ((storage, _volume),) = app_instance.volumes()
    return sorted(storage.initiators)


def shared_volume(service: CinderService) -> Any:
    """A volume that several instances may have at once."""
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    return service.create_volume(1, volume_type=shared)


def test_one_portal_or_all_of_them(start_datera: StartDatera, stored: Stored, hosts: Any) -> None:
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


def test_the_first_host_switches_it_on_and_the_last_switches_it_off(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = shared_volume(service)
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


def test_a_host_stays_in_while_another_of_its_instances_has_the_volume(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = shared_volume(service)
    first = hosts(service).attach(volume, "one")
    second = hosts(service).attach(volume, "one")
    hosts(service).detach(first)
    assert allowed(stored(volume)) == [ONE]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []


def test_cinders_own_attachment_on_the_same_host_cuts_no_instance_off(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    attachment = hosts(service).attach(volume, "one")
    manager, own = service.volume_manager, hosts.connector("one")
    # What Cinder does to copy a volume that is in use to an image: there is no record of it.
    manager.initialize_connection(service.context, service.volume(volume.id), own)
    manager.terminate_connection(service.context, volume.id, own)
    assert allowed(stored(volume)) == [ONE]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(attachment)
    assert allowed(stored(volume)) == []


def test_two_who_leave_one_host_at_once_are_both_gone(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = shared_volume(service)
    both = [hosts(service).attach(volume, "one") for _ in range(2)]
    # The API takes a record away only when the volume service has answered.
    for attachment in both:
        service.volume_manager.attachment_delete(
            service.context, attachment.id, service.volume(volume.id)
        )
    for attachment in both:
        service.volume(volume.id).finish_detach(attachment.id)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_who_comes_while_another_of_his_host_leaves_stays_in(
    start_datera: StartDatera, stored: Stored, hosts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_datera()
    volume = shared_volume(service)
    first = hosts(service).attach(volume, "one")
    manager = service.volume_manager
    let_in = manager.driver.initialize_connection

    def and_then_the_other_leaves(volume: Any, connector: Any) -> Any:
        # The driver has answered, and the manager has not written the connector down yet.
        answer = let_in(volume, connector)
        manager.attachment_delete(service.context, first.id, service.volume(volume.id))
        return answer

    monkeypatch.setattr(manager.driver, "initialize_connection", and_then_the_other_leaves)
    second = hosts(service).attach(volume, "one")
    service.volume(volume.id).finish_detach(first.id)
    assert allowed(stored(volume)) == [ONE]
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []


def test_the_last_to_leave_takes_those_with_him_who_were_left_behind(
    start_datera: StartDatera, connect: Any, stored: Stored, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = shared_volume(service)
    tenant = connect(emulator).tenant()
    found = tenant.rename(tenant.app_instance(f"OS-{volume.id}"), f"OS-db-{volume.id}")
    tenant.allow_initiator(found.storage_instance, "iqn.1994-05.com.redhat:long-gone", "gone")
    first, second = (hosts(service).attach(volume, host) for host in ("one", "two"))
    hosts(service).detach(first)
    assert allowed(stored(volume)) == ["iqn.1994-05.com.redhat:long-gone", TWO]
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_the_last_instance_leaves_cinder_at_its_work(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    attachment = hosts(service).attach(volume, "one")
    service.volume_manager.initialize_connection(
        service.context, service.volume(volume.id), hosts.connector("two")
    )
    service.volume_manager.driver._guests.everybody_left(volume.id)  # as after a restart
    uploading = service.volume(volume.id)
    uploading.update({"status": "uploading"})
    uploading.save()
    service.volume_manager.attachment_delete(service.context, attachment.id, uploading)
    assert allowed(stored(volume)) == [TWO]
    assert stored(volume).admin_state == "online"


def test_a_second_attachment_never_switches_off_under_the_first(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = shared_volume(service)
    hosts(service).attach(volume, "one")
    emulator.cluster.counters.reset()
    hosts(service).attach(volume, "two")
    assert emulator.cluster.counters.of("PUT", "/app_instances/:id") == 0


def test_an_attachment_costs_a_handful_of_requests(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    hosts(service).detach(hosts(service).attach(volume, "one"))
    emulator.cluster.counters.reset()
    attachment = hosts(service).attach(volume, "one")
    assert emulator.cluster.counters.requests.total() <= 6
    emulator.cluster.counters.reset()
    hosts(service).detach(attachment)
    assert emulator.cluster.counters.requests.total() <= 3


def test_who_comes_while_the_last_one_leaves_finds_it_switched_on(
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


def test_without_a_connector_everybody_leaves(
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


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_a_host_is_let_in_although_the_answer_to_making_its_initiator_is_lost(
    start_datera: StartDatera,
    emulator: Emulator,
    stored: Stored,
    hosts: Any,
    *,
    applied: bool,
    times: int,
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver, connector = service.volume_manager.driver, hosts.connector("one")
    for _ in range(times):
        emulator.faults.drop(method="POST", path="/initiators", applied=applied)
    if applied or times == 1:
        driver.initialize_connection(volume, connector)
        assert allowed(stored(volume)) == [ONE]
    else:
        lost = r"POST .*/initiators.*broke off"
        with pytest.raises(exception.VolumeBackendAPIException, match=lost):
            driver.initialize_connection(volume, connector)
        assert allowed(stored(volume)) == []


def test_who_may_have_been_let_in_is_not_left_in(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera("datera_503_timeout = 0\n")
    volume = service.create_volume(1)
    emulator.faults.drop(method="PUT", path=".*/acl_policy/initiators", applied=True)
    with pytest.raises(exception.VolumeBackendAPIException, match="broke off"):
        service.volume_manager.driver.initialize_connection(volume, hosts.connector("one"))
    assert allowed(stored(volume)) == []


def test_who_could_not_be_served_is_not_waited_for_twice(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera("datera_503_timeout = 1\n")
    volume = service.create_volume(1)
    service.volume_manager.driver.terminate_connection(volume, None, force=True)
    busy = Answer(503, {"message": "busy"})
    emulator.faults.busy(None, method="PUT", path="/app_instances/[^/]+")
    undo = emulator.faults.add(Fault(busy, "PUT", ".*/acl_policy/initiators", nth=2, times=None))
    with pytest.raises(exception.VolumeBackendAPIException, match="busy"):
        service.volume_manager.driver.initialize_connection(volume, hosts.connector("one"))
    assert undo.hits == 1


def test_leaving_twice_is_no_error(start_datera: StartDatera, stored: Stored, hosts: Any) -> None:
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
def test_a_host_that_does_not_say_who_it_is_is_not_everybody(
    start_datera: StartDatera, stored: Stored, hosts: Any, nobody: dict[str, Any]
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    hosts(service).attach(volume, "one")
    assert service.volume_manager.driver.terminate_connection(volume, nobody, force=True) is False
    assert allowed(stored(volume)) == [ONE]


def test_who_could_not_be_served_is_not_left_in(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.volume_manager.driver.terminate_connection(volume, None, force=True)
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path="/app_instances/[^/]+")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        service.volume_manager.driver.initialize_connection(volume, hosts.connector("one"))
    assert allowed(stored(volume)) == []


@pytest.mark.parametrize("nobody", [{}, {"initiator": None}, {"initiator": ""}])
def test_a_host_without_an_initiator_is_refused_by_name(
    start_datera: StartDatera, nobody: dict[str, Any]
) -> None:
    service = start_datera()
    with pytest.raises(exception.InvalidConnectorException, match="initiator"):
        service.volume_manager.driver.validate_connector({"host": "one", **nobody})


def test_the_service_asks_nothing_for_its_volumes_when_it_starts(
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
    }


CHAP = "use_chap_auth = True\nchap_username = cinder\nchap_password = chap-secret-15c\n"


@pytest.fixture
def this_host() -> Iterator[str]:
    """This process can attach volumes; its initiator's name."""
    yield brick.install()
    brick.uninstall()


@pytest.mark.parametrize("lines", ["", CHAP])
@pytest.mark.parametrize("multipath", [False, True])
def test_what_is_written_through_an_attachment_is_read_through_the_next(
    start_datera: StartDatera, this_host: str, lines: str, multipath: bool
) -> None:
    from os_brick.initiator import connector as os_brick_connector

    service = start_datera(lines)
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    host = {"initiator": this_host, "host": "here", "multipath": multipath}
    contents = b"kept" * 1024
    for mode in ("write", "read"):
        connection = driver.initialize_connection(volume, host)
        os_brick = os_brick_connector.InitiatorConnector.factory(
            "ISCSI", "", use_multipath=multipath
        )
        device = os_brick.connect_volume(connection["data"])
        with open(device["path"], "r+b") as file:
            if mode == "write":
                file.write(contents)
            else:
                assert file.read(len(contents)) == contents
        os_brick.disconnect_volume(connection["data"], device)
        driver.terminate_connection(volume, host)


def test_a_target_turns_away_who_is_not_let_in(
    start_datera: StartDatera, this_host: str, hosts: Any
) -> None:
    from os_brick import exception as brick_exception
    from os_brick.initiator import connector as os_brick_connector

    service = start_datera()
    volume = service.create_volume(1)
    connection = service.volume_manager.driver.initialize_connection(
        volume, hosts.connector("somebody-else")
    )
    os_brick = os_brick_connector.InitiatorConnector.factory("ISCSI", "")
    with pytest.raises(brick_exception.BrickException):
        os_brick.connect_volume(connection["data"])
