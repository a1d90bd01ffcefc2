# SPDX-License-Identifier: Apache-2.0
"""A cluster that is full: the driver names the limit, and nothing is left behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator, Limits

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService


def limited(emulator: Emulator, **limits: int) -> None:
    cluster = emulator.cluster
    cluster.switches = dataclasses.replace(cluster.switches, limits=Limits(**limits))


def failure_of(service: CinderService) -> Exception:
    failure = service.failures.pop()
    assert not service.failures
    return failure


@pytest.mark.parametrize("limit", ["app_instances", "volumes", "storage_instances"])
def test_a_volume_for_which_there_is_no_room_is_refused_with_the_limit(
    start_datera: Callable[..., CinderService], emulator: Emulator, limit: str
) -> None:
    service = start_datera()
    source = service.create_volume(1)
    limited(emulator, **{limit: 1})
    for wish in ({}, {"source": source}):
        refused = service.create_volume(1, **wish)
        assert refused.status == "error"
        failure = failure_of(service)
        assert isinstance(failure, exception.VolumeBackendAPIException)
        assert "cluster limit reached" in str(failure)
        assert f"cannot create app instance OS-{refused.id}" in str(failure)
        assert "Delete volumes or backups, or use another cluster" in str(failure)
        assert len(emulator.cluster.app_instances) == 1
        service.delete_volume(refused)
    assert len(emulator.cluster.app_instances) == 1


def test_a_snapshot_for_which_there_is_no_room_is_refused_with_the_limit(
    start_datera: Callable[..., CinderService], emulator: Emulator, stored: Callable[[Any], Any]
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    limited(emulator, snapshots_per_volume=1)
    service.create_snapshot(volume)
    refused = service.create_snapshot(volume)
    assert refused.status == "error"
    text = str(failure_of(service))
    assert f"cluster limit reached: cannot create snapshot {refused.id}" in text
    assert "Delete snapshots of this volume, or of others" in text
    ((_storage, on_array),) = stored(volume).volumes()
    assert len(on_array.snapshots) == 1


def test_a_host_for_which_there_is_no_room_is_refused_with_the_limit(
    start_datera: Callable[..., CinderService],
    emulator: Emulator,
    stored: Callable[[Any], Any],
    hosts: Any,
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    hosts(service).attach(service.create_volume(1), "one")
    limited(emulator, initiators=1)
    driver, host = service.volume_manager.driver, hosts.connector("two")
    with pytest.raises(exception.VolumeBackendAPIException) as failure:
        driver.initialize_connection(volume, host)
    assert f"cluster limit reached: cannot create initiator {host['initiator']}" in str(
        failure.value
    )
    assert "Remove initiators that are in no ACL" in str(failure.value)
    ((storage, _volume),) = stored(volume).volumes()
    assert storage.initiators == []


def test_a_tenant_for_which_there_is_no_room_is_refused_with_the_limit(
    start_datera: Callable[..., CinderService], emulator: Emulator
) -> None:
    service = start_datera("datera_tenant_id = Map\n")
    limited(emulator, tenants=len(emulator.cluster.tenants))
    refused = service.create_volume(1)
    assert refused.status == "error"
    text = str(failure_of(service))
    assert f"cluster limit reached: cannot create tenant /root/OS-{refused.project_id}" in text
    assert "Remove empty tenants" in text
