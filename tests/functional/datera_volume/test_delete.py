# SPDX-License-Identifier: Apache-2.0
"""Deleting volumes: what is gone, and what the cluster refuses to delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator
from tests.fixtures.datera.volume_records import new_record

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


def test_deleting_leaves_nothing(start_datera: StartDatera, emulator: Emulator) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    service.delete_volume(volume)
    assert emulator.cluster.app_instances == {}
    with pytest.raises(exception.VolumeNotFound):
        service.volume(volume.id)


def test_deleting_what_is_gone_succeeds_with_a_warning(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, caplog: pytest.LogCaptureFixture
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    gone(emulator, stored(volume))
    service.delete_volume(volume)
    with pytest.raises(exception.VolumeNotFound):
        service.volume(volume.id)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert any(volume.id in text and "/root" in text for text in warnings)


def test_every_other_operation_on_a_missing_volume_fails_by_its_name(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, hosts: Any
) -> None:
    service = start_datera()
    driver = service.volume_manager.driver
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    gone(emulator, stored(volume))
    other = new_record(service)
    connector = hosts.connector("one")
    calls: list[Callable[[], Any]] = [
        lambda: driver.extend_volume(volume, 2),
        lambda: driver.create_snapshot(snapshot),
        lambda: driver.create_cloned_volume(other, volume),
        lambda: driver.create_volume_from_snapshot(other, snapshot),
        lambda: driver.initialize_connection(volume, connector),
        lambda: driver.terminate_connection(volume, connector),
    ]
    for call in calls:
        with pytest.raises(exception.VolumeNotFound, match=f"Volume {volume.id} does"):
            call()
    driver.terminate_connection(volume, connector, force=True)
    driver.delete_snapshot(snapshot)


def gone(emulator: Emulator, app_instance: Any) -> None:
    with emulator.cluster.transaction():
        emulator.cluster.forget(app_instance)


@pytest.mark.parametrize("open_to_all", ["True", "False"])
@pytest.mark.parametrize("state", ["online", "offline"])
def test_a_volume_that_the_cluster_refuses_to_delete_is_busy_and_unchanged(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, open_to_all: str, state: str
) -> None:
    service = start_datera()
    gold = service.create_volume_type("gold", {"DF:acl_allow_all": open_to_all})
    volume = service.create_volume(1, volume_type=gold)
    tenant = service.volume_manager.driver.cluster.tenant()
    ai = tenant.app_instance(f"OS-{volume.id}")
    assert (tenant.set_offline(ai) if state == "offline" else tenant.set_online(ai)).name
    refusal = {"name": "InvalidRequestError", "message": "It is in use."}
    emulator.faults.answer(400, refusal, method="DELETE", path="/app_instances/[^/]+")
    service.delete_volume(volume)
    assert service.volume(volume.id).status == "available"
    assert stored(volume).admin_state == state
    service.delete_volume(volume)
    assert emulator.cluster.app_instances == {}
