# SPDX-License-Identifier: Apache-2.0
"""Several attachments of one volume, also from one host, and which of them ends a host's access."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.stored_objects import allowed
from tests.fixtures.datera.volume_records import multiattach_volume

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"


def test_a_host_keeps_access_while_another_of_its_instances_has_the_volume(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
    first = hosts(service).attach(volume, "one")
    second = hosts(service).attach(volume, "one")
    hosts(service).detach(first)
    assert allowed(stored(volume)) == [ONE]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []


def test_detaching_cinders_own_attachment_keeps_the_access_of_instances(
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


def test_two_concurrent_detachments_from_one_host_revoke_its_access(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
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


def test_attaching_while_another_of_the_host_detaches_keeps_access(
    start_datera: StartDatera, stored: Stored, hosts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
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


def test_a_repeated_attachment_is_detached_once(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    driver, connector = service.volume_manager.driver, hosts.connector("one")
    for _twice in range(2):
        driver.initialize_connection(volume, connector)
    driver.terminate_connection(volume, connector)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def changed(service: CinderService, hosts: Any, volume: Any) -> Any:
    """An attachment of the first host that was given the second one's connector."""
    attachment = hosts(service).attach(volume, "one")
    service.volumes.attachment_update(
        service.context, attachment, hosts.connector("two", mountpoint="/dev/vdb")
    )
    return attachment


def test_an_attachment_given_another_connector_revokes_its_first_hosts_access(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    attachment = changed(service, hosts, volume)
    # Cinder tells the driver only before it writes the connector down.
    assert allowed(stored(volume)) == [ONE, TWO]
    service.volume_manager.driver.get_volume_stats(refresh=True)
    assert allowed(stored(volume)) == [TWO]
    assert stored(volume).admin_state == "online"
    hosts(service).detach(attachment)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_access_of_a_first_host_that_cannot_be_revoked_now_is_revoked_later(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    changed(service, hosts, volume)
    driver = service.volume_manager.driver
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=".*/initiators")
    driver.get_volume_stats(refresh=True)
    assert allowed(stored(volume)) == [ONE, TWO]
    driver.get_volume_stats(refresh=True)
    assert allowed(stored(volume)) == [TWO]


def test_the_next_detachment_revokes_the_first_hosts_access_too(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
    third = hosts(service).attach(volume, "three")
    changed(service, hosts, volume)
    hosts(service).detach(third)
    assert allowed(stored(volume)) == [TWO]


def test_the_last_detachment_revokes_access_of_hosts_left_behind(
    start_datera: StartDatera, connect: Any, stored: Stored, emulator: Emulator, hosts: Any
) -> None:
    service = start_datera()
    volume = multiattach_volume(service)
    tenant = connect(emulator).tenant()
    found = tenant.rename(tenant.app_instance(f"OS-{volume.id}"), f"OS-db-{volume.id}")
    tenant.allow_initiator(found.storage_instance, "iqn.1994-05.com.redhat:long-gone", "gone")
    first, second = (hosts(service).attach(volume, host) for host in ("one", "two"))
    hosts(service).detach(first)
    assert allowed(stored(volume)) == ["iqn.1994-05.com.redhat:long-gone", TWO]
    hosts(service).detach(second)
    assert allowed(stored(volume)) == []
    assert stored(volume).admin_state == "offline"


def test_the_last_instances_detachment_keeps_cinders_own_attachment(
    start_datera: StartDatera, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    attachment = hosts(service).attach(volume, "one")
    service.volume_manager.initialize_connection(
        service.context, service.volume(volume.id), hosts.connector("two")
    )
    noted = stored(volume).metadata
    noted.update({key: "-" for key in noted if key.startswith("cinder_move_")})  # as later
    uploading = service.volume(volume.id)
    uploading.update({"status": "uploading"})
    uploading.save()
    service.volume_manager.attachment_delete(service.context, attachment.id, uploading)
    assert allowed(stored(volume)) == [TWO]
    assert stored(volume).admin_state == "online"
