# SPDX-License-Identifier: Apache-2.0
"""A host is known to the cluster for as long as something lets it in, whoever comes and goes."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FuturesTimeout
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_volume.connection import Tenant
from datera_volume.connection.resources import initiators

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"
INITIATOR = "/initiators/[^/]+"


def known(emulator: Emulator) -> list[str]:
    """The initiators that the cluster knows, with their tenants."""
    return sorted(f"{one.tenant} {one.id}" for one in emulator.cluster.initiators.values())


def let_in(stored: Any, volume: Any) -> list[str]:
    ((storage, _volume),) = stored(volume).volumes()
    return sorted(storage.initiators)


def test_an_initiator_is_removed_with_its_last_attachment(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    first, second = (hosts(service).attach(service.create_volume(1), "one") for _ in range(2))
    other = hosts(service).attach(service.create_volume(1), "two")
    hosts(service).detach(first)
    assert known(emulator) == [f"/root {ONE}", f"/root {TWO}"]
    hosts(service).detach(second)
    assert known(emulator) == [f"/root {TWO}"]
    hosts(service).detach(other)
    assert known(emulator) == []


def test_an_initiator_is_removed_after_two_concurrent_detachments(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    both = [hosts(service).attach(service.create_volume(1), "one") for _ in range(2)]
    # The API takes a record away only when the volume service has answered.
    for attachment in both:
        service.volume_manager.attachment_delete(
            service.context, attachment.id, service.volume(attachment.volume_id)
        )
    assert known(emulator) == []


def test_with_tenants_for_projects_an_initiator_is_removed_from_each(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera("datera_tenant_id = Map\n")
    ours, theirs = (service.create_volume(1) for _ in range(2))
    driver = service.volume_manager.driver
    driver.delete_volume(theirs)
    theirs.update({"project_id": "e" * 32, "provider_id": None})
    theirs.save()
    driver.create_volume(theirs)
    attachments = [hosts(service).attach(volume, "one") for volume in (ours, theirs)]
    assert known(emulator) == sorted(f"/root/OS-{p * 32} {ONE}" for p in "fe")
    hosts(service).detach(attachments[0])
    assert known(emulator) == [f"/root/OS-{'e' * 32} {ONE}"]
    hosts(service).detach(attachments[1])
    assert known(emulator) == []


def test_initiators_whose_access_is_revoked_together_are_removed(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    for host in ("one", "two"):
        driver.initialize_connection(volume, hosts.connector(host))
    driver.terminate_connection(volume, None, force=True)
    assert known(emulator) == []


def test_an_initiator_is_removed_with_its_attached_snapshot(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    snapshot, host = service.create_snapshot(service.create_volume(1)), hosts.connector("one")
    driver.create_export_snapshot(None, snapshot, host)
    driver.initialize_connection_snapshot(snapshot, host)
    assert known(emulator) == [f"/root {ONE}"]
    driver.terminate_connection_snapshot(snapshot, host)
    assert known(emulator) == []
    driver.remove_export_snapshot(None, snapshot)


def test_the_initiator_of_a_failed_attachment_is_removed(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    driver, volume = service.volume_manager.driver, service.create_volume(1)
    driver.terminate_connection(volume, None, force=True)
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path="/app_instances/[^/]+")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        driver.initialize_connection(volume, hosts.connector("one"))
    assert known(emulator) == []


def test_an_initiator_of_another_client_is_kept(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    body = {"id": ONE, "name": "cinder-backup-one"}
    service.volume_manager.driver.cluster._session.request("POST", "/initiators", body=body)
    hosts(service).detach(hosts(service).attach(service.create_volume(1), "one"))
    assert known(emulator) == [f"/root {ONE}"]


def test_an_initiator_in_a_group_is_kept(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    attachment = hosts(service).attach(service.create_volume(1), "one")
    body = {"name": "admins", "members": [{"path": f"/initiators/{ONE}"}]}
    service.volume_manager.driver.cluster._session.request("POST", "/initiator_groups", body=body)
    hosts(service).detach(attachment)
    assert known(emulator) == [f"/root {ONE}"]


def test_an_initiator_allowed_without_an_attachment_record_is_kept(
    start_datera: StartDatera, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    cluster = emulator.cluster
    # An array that asks nobody: whoever stands in a list would be in no longer.
    cluster.switches = dataclasses.replace(cluster.switches, initiator_in_use_deletable=True)
    driver, host = service.volume_manager.driver, hosts.connector("one")
    copied = service.create_volume(1)
    driver.initialize_connection(copied, host)
    hosts(service).detach(hosts(service).attach(service.create_volume(1), "one"))
    assert known(emulator) == [f"/root {ONE}"]
    driver.terminate_connection(copied, host)
    assert known(emulator) == []


@pytest.mark.parametrize("field", ["acl_policy", "initiators", "storage_instances", "members"])
def test_an_initiator_is_kept_if_a_response_lacks_an_acl(
    start_datera: StartDatera,
    emulator: Emulator,
    hosts: Any,
    *,
    silent_about: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    field: str,
) -> None:
    service = start_datera()
    cluster = emulator.cluster
    cluster.switches = dataclasses.replace(cluster.switches, initiator_in_use_deletable=True)
    driver = service.volume_manager.driver
    driver.cluster._session.request(
        "POST", "/initiator_groups", body={"name": "admins", "members": []}
    )
    attachment = hosts(service).attach(service.create_volume(1), "one")
    is_needed = initiators._is_needed

    def silent(asking: Any, iqn: str) -> bool:
        with silent_about(field):
            return is_needed(asking, iqn)

    monkeypatch.setattr(initiators, "_is_needed", silent)
    hosts(service).detach(attachment)
    assert known(emulator) == [f"/root {ONE}"]
    (warning,) = (one for one in caplog.messages if f"Initiator {ONE} may be left in" in one)
    assert repr(field) in warning


@pytest.mark.parametrize("status", [409, 400, 500, 404])
def test_detaching_succeeds_although_the_initiator_cannot_be_removed(
    start_datera: StartDatera, emulator: Emulator, stored: Any, hosts: Any, status: int
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    attachment = hosts(service).attach(volume, "one")
    fault = emulator.faults.answer(status, {"message": "No."}, method="DELETE", path=INITIATOR)
    hosts(service).detach(attachment)
    assert fault.hits == 1
    assert (let_in(stored, volume), stored(volume).admin_state) == ([], "offline")
    hosts(service).detach(hosts(service).attach(volume, "one"))
    assert known(emulator) == []


def test_an_initiator_allowed_elsewhere_during_the_check_is_kept(
    start_datera: StartDatera,
    emulator: Emulator,
    stored: Any,
    hosts: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start_datera()
    attachment = hosts(service).attach(service.create_volume(1), "one")
    other = service.create_volume(1)
    tenant = service.volume_manager.driver.cluster.tenant()
    is_needed = initiators._is_needed

    def and_then_another_is_let_in(asking: Any, iqn: str) -> bool:
        needed = is_needed(asking, iqn)
        # Somebody who knows nothing of this cloud's locks.
        tenant.allow_initiator(
            tenant.app_instance(f"OS-{other.id}").storage_instance, ONE, "OpenStack-one"
        )
        return needed

    monkeypatch.setattr(initiators, "_is_needed", and_then_another_is_let_in)
    hosts(service).detach(attachment)
    assert known(emulator) == [f"/root {ONE}"]
    assert let_in(stored, other) == [ONE]


def test_an_initiator_removed_while_it_is_allowed_elsewhere_is_created_again(
    start_datera: StartDatera,
    emulator: Emulator,
    stored: Any,
    hosts: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    ensure = initiators.ensure
    removals = []

    def and_then_it_goes(asking: Any, iqn: str, name: str) -> Any:
        doubt = ensure(asking, iqn, name)
        removals.append(Tenant(asking).remove_initiator(iqn, ""))
        return doubt

    monkeypatch.setattr(initiators, "ensure", and_then_it_goes)
    hosts(service).attach(volume, "one")
    assert removals == [True]
    assert let_in(stored, volume) == [ONE]
    assert known(emulator) == [f"/root {ONE}"]


def test_no_access_is_granted_while_an_initiator_is_being_checked(
    start_datera: StartDatera,
    emulator: Emulator,
    stored: Any,
    hosts: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start_datera()
    cluster = emulator.cluster
    # An array that asks nobody: whoever stands in a list would be in no longer.
    cluster.switches = dataclasses.replace(cluster.switches, initiator_in_use_deletable=True)
    driver, host = service.volume_manager.driver, hosts.connector("one")
    first, second = (service.create_volume(1) for _ in range(2))
    driver.initialize_connection(first, host)
    looking, go_on = threading.Event(), threading.Event()
    is_needed = initiators._is_needed

    def slowly(asking: Any, iqn: str) -> bool:
        needed = is_needed(asking, iqn)
        looking.set()
        go_on.wait(10)
        return needed

    monkeypatch.setattr(initiators, "_is_needed", slowly)
    with ThreadPoolExecutor(2) as pool:
        leaver = pool.submit(driver.terminate_connection, first, host)
        assert looking.wait(10)
        comer = pool.submit(driver.initialize_connection, second, host)
        with pytest.raises(FuturesTimeout):
            comer.result(0.3)
        go_on.set()
        leaver.result(10)
        comer.result(10)
    assert let_in(stored, second) == [ONE]
    assert known(emulator) == [f"/root {ONE}"]
