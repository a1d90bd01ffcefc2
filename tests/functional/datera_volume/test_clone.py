# SPDX-License-Identifier: Apache-2.0
"""Volumes from volumes and from snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.stored_objects import the_storage, the_volume
from tests.fixtures.datera.volume_records import new_record

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


@pytest.mark.parametrize("source", ["volume", "snapshot"])
def test_a_copy_gets_its_own_types_policies_and_size(
    start_datera: StartDatera,
    emulator: Emulator,
    connect: Any,
    stored: Stored,
    hosts: Any,
    *,
    source: str,
) -> None:
    service = start_datera()
    connect(emulator)._session.request(
        "POST", "/access_network_ip_pools", body={"name": "fast-net"}
    )
    plain = service.create_volume_type("plain", {"DF:replica_count": "1", "DF:iops_per_gb": "5"})
    gold = service.create_volume_type(
        "gold",
        {"DF:replica_count": "3", "DF:placement_mode": "all_flash", "DF:ip_pool": "fast-net"},
    )
    volume = service.create_volume(1, volume_type=plain)
    snapshot = service.create_snapshot(volume) if source == "snapshot" else None
    hosts(service).attach(volume, "one")
    wanted = {"snapshot": snapshot} if snapshot else {"source": service.volume(volume.id)}
    # The types differ, which Cinder's API allows only by way of the driver's own call.
    copy = new_record(service, size=3, volume_type_id=gold.id)
    driver = service.volume_manager.driver
    for _again in range(2):
        if snapshot:
            driver.create_volume_from_snapshot(copy, snapshot)
        else:
            driver.create_cloned_volume(copy, wanted["source"])
    found = stored(copy)
    assert (the_volume(found).size, the_volume(found).replica_count) == (3, 3)
    assert the_volume(found).placement_mode == "all_flash"
    assert not any((the_volume(found).performance_policy or {}).values())
    assert the_storage(found).initiators == []
    assert the_storage(found).ip_pool == "fast-net"
    assert the_volume(stored(volume)).size == 1
    assert the_storage(stored(volume)).initiators == [hosts.connector("one")["initiator"]]


def test_clones_through_cinders_api(start_datera: StartDatera, stored: Stored) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    snapshot = service.create_snapshot(volume)
    for copy in (
        service.create_volume(2, source=service.volume(volume.id)),
        service.create_volume(2, snapshot=snapshot),
    ):
        assert copy.status == "available"
        assert the_volume(stored(copy)).size == 2


@pytest.mark.parametrize("failing", ["/app_instances/.*/volumes/[^/]+", ".*/performance_policy"])
def test_a_partially_created_clone_is_rolled_back(
    start_datera: StartDatera, emulator: Emulator, stored: Stored, failing: str
) -> None:
    service = start_datera("datera_volume_type_defaults = iops_per_gb:10\n")
    volume = service.create_volume(1)
    for method in ("PUT", "DELETE"):
        emulator.faults.answer(500, {"message": "broken"}, method=method, path=failing)
    copy = service.create_volume(2, source=service.volume(volume.id))
    assert copy.status == "error"
    assert list(emulator.cluster.app_instances.values()) == [stored(volume)]
