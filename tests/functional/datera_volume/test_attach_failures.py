# SPDX-License-Identifier: Apache-2.0
"""Attaching that fails, or whose response is lost, leaves no access behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from datera_emulator.faults.plan import Answer, Fault
from tests.fixtures.datera.stored_objects import allowed

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]
ONE, TWO = "iqn.1994-05.com.redhat:one", "iqn.1994-05.com.redhat:two"


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_response_to_creating_an_initiator_fails_no_attachment(
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
        lost = r"POST .*/initiators.*connection was closed"
        with pytest.raises(exception.VolumeBackendAPIException, match=lost):
            driver.initialize_connection(volume, connector)
        assert allowed(stored(volume)) == []


def test_access_that_may_have_been_granted_is_revoked_after_a_failure(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera("datera_503_timeout = 0\n")
    volume = service.create_volume(1)
    emulator.faults.drop(method="PUT", path=".*/acl_policy/initiators", applied=True)
    emulator.faults.drop(method="GET", path=".*/acl_policy")
    with pytest.raises(
        exception.VolumeBackendAPIException, match=r"outcome is unknown.*connection was closed"
    ):
        service.volume_manager.driver.initialize_connection(volume, hosts.connector("one"))
    assert allowed(stored(volume)) == []


def test_a_failed_attachment_is_rolled_back_without_waiting_again(
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


def test_a_failed_attachment_leaves_no_access(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.volume_manager.driver.terminate_connection(volume, None, force=True)
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path="/app_instances/[^/]+")
    with pytest.raises(exception.VolumeBackendAPIException, match="broken"):
        service.volume_manager.driver.initialize_connection(volume, hosts.connector("one"))
    assert allowed(stored(volume)) == []
