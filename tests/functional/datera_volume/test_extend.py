# SPDX-License-Identifier: Apache-2.0
"""Extending volumes, and the QoS limits that follow their size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import exception

from datera_emulator import Emulator, Switches
from tests.fixtures.datera.stored_objects import the_volume

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


def test_extending_a_detached_volume(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera("datera_volume_type_defaults = iops_per_gb:10\n")
    volume = service.create_volume(1)
    service.volume_manager.extend_volume(service.context, volume, 3, [])
    assert service.volume(volume.id).size == 3
    assert the_volume(stored(volume)).size == 3
    assert the_volume(stored(volume)).performance_policy["total_iops_max"] == 30
    service.volume_manager.driver.extend_volume(volume, 3)
    assert the_volume(stored(volume)).size == 3


@pytest.mark.parametrize("size", [1, 3])
def test_extending_is_judged_by_the_size_and_not_by_the_response(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, size: int
) -> None:
    service = start_datera("datera_volume_type_defaults = iops_per_gb:10\n")
    volume = service.create_volume(1)
    path, grown = "/app_instances/.*/volumes/volume-1", size == 3
    emulator.faults.answer(500, {"message": "broken"}, method="PUT", path=path, applied=grown)
    volume.update({"status": "extending"})
    volume.save()
    service.volume_manager.extend_volume(service.context, volume, 3, [])
    told = service.volume(volume.id)
    assert (told.size, told.status) == (size, "available" if grown else "error_extending")
    assert the_volume(stored(volume)).size == size
    assert the_volume(stored(volume)).performance_policy["total_iops_max"] == 10 * size


def test_limits_are_set_exactly(
    emulator: Emulator, connect: Any, start_datera: StartDatera, stored: Stored
) -> None:
    service = start_datera()
    specs = {"DF:read_iops_max": "100", "DF:total_iops_max": "700"}
    volume = service.create_volume(1, volume_type=service.create_volume_type("gold", specs))
    tenant = connect(emulator).tenant()
    found = tenant.app_instance(f"OS-{volume.id}").volume
    for limits in ({"total_iops_max": 500}, {"write_bandwidth_max": 9}, {}):
        tenant.set_limits(found, limits)
        standing = the_volume(stored(volume)).performance_policy or {}
        assert {name: value for name, value in standing.items() if value} == limits


def test_an_offline_resize_is_made_offline_but_never_while_a_host_is_attached(
    start_emulator: Callable[..., Emulator], start_cinder: StartDatera, hosts: Any
) -> None:
    emulator = start_emulator(switches=Switches(online_resize=False))
    service = start_cinder(
        backend=f"""\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_password = {emulator.password}
driver_use_ssl = False
datera_api_port = {emulator.http_port}
""",
        section="datera",
    )
    volume = service.create_volume(1)
    driver = service.volume_manager.driver
    driver.extend_volume(volume, 2)
    (found,) = emulator.cluster.app_instances.values()
    assert the_volume(found).size == 2
    hosts(service).attach(volume, "one")
    with pytest.raises(exception.VolumeBackendAPIException, match=volume.id):
        driver.extend_volume(volume, 3)
    (found,) = emulator.cluster.app_instances.values()
    assert (the_volume(found).size, found.admin_state) == (2, "online")
