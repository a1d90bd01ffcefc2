# SPDX-License-Identifier: Apache-2.0
"""An answer that does not say something, or is none, harms nobody and is no proof of absence."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_volume.connection import NotOnCluster

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"
REFUSALS = (400, 403, 405, 422)
INSTANCE = "/app_instances/[^/]+"


@pytest.mark.parametrize(
    "field", ["acl_policy", "initiators", "access_control_mode", "auth", "storage_instances"]
)
def test_an_incomplete_response_revokes_no_other_hosts_access(
    start_datera: StartDatera,
    stored: Callable[[Any], Any],
    hosts: Any,
    silent_about: Callable[[str], Any],
    field: str,
) -> None:
    service = start_datera()
    shared = service.create_volume_type("shared", {"multiattach": "<is> True"})
    volume = service.create_volume(1, volume_type=shared)
    first = hosts(service).attach(volume, "one")
    hosts(service).attach(volume, "two")
    with silent_about(field), pytest.raises(exception.CinderException, match=field):
        hosts(service).detach(first)
    app_instance = stored(volume)
    assert app_instance.admin_state == "online"
    ((storage, _volume),) = app_instance.volumes()
    assert TWO in storage.initiators
    hosts(service).detach(first)
    assert (storage.initiators, app_instance.admin_state) == ([TWO], "online")


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_lookup_of_a_volume_proves_no_absence(
    start_datera: StartDatera, emulator: Emulator, stored: Callable[[Any], Any], status: int
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    message = {"name": "Refused", "message": "not this question"}
    fault = emulator.faults.answer(status, message, method="GET", path=INSTANCE)
    with pytest.raises(exception.CinderException, match="not this question"):
        service.volume_manager.driver.delete_volume(volume)
    assert fault.hits == 1
    assert stored(volume).name == f"OS-{volume.id}"
    service.delete_volume(volume)
    assert not emulator.cluster.app_instances


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refused_lookup_of_a_snapshots_clone_leaves_no_clone(
    start_datera: StartDatera, emulator: Emulator, hosts: Any, status: int
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    snapshot = service.create_snapshot(service.create_volume(1))
    driver.create_export_snapshot(None, snapshot, hosts.connector("one"))
    assert len(emulator.cluster.app_instances) == 2
    refused = {"name": "Refused", "message": "not this question"}
    emulator.faults.answer(status, refused, method="GET", path=INSTANCE)
    with pytest.raises(exception.CinderException, match="not this question"):
        driver.remove_export_snapshot(None, snapshot)
    driver.remove_export_snapshot(None, snapshot)
    assert len(emulator.cluster.app_instances) == 1


def test_an_impossible_name_is_not_looked_up(start_datera: StartDatera, emulator: Emulator) -> None:
    tenant = start_datera().volume_manager.driver.cluster.tenant()
    emulator.faults.answer(500, None, method="GET", path=INSTANCE, times=None)
    with pytest.raises(NotOnCluster, match="cannot be the name"):
        tenant.app_instance("..")
