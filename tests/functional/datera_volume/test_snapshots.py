# SPDX-License-Identifier: Apache-2.0
"""Creating and deleting snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cinder import objects

from datera_emulator import Emulator
from tests.fixtures.datera.stored_objects import the_volume

pytestmark = pytest.mark.release

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

StartDatera = Callable[..., "CinderService"]
Stored = Callable[[Any], Any]


def test_a_snapshot_that_the_cluster_refuses_to_delete_is_busy(
    start_datera: StartDatera, emulator: Emulator
) -> None:
    service = start_datera()
    snapshot = service.create_snapshot(service.create_volume(1))
    emulator.faults.answer(400, {"message": "It is in use."}, method="DELETE")
    service.volumes.delete_snapshot(service.context, snapshot)
    assert objects.Snapshot.get_by_id(service.context, snapshot.id).status == "available"


def test_snapshots_carry_cinders_id(
    start_datera: StartDatera, emulator: Emulator, stored: Stored
) -> None:
    service = start_datera()
    volume = service.create_volume(1)
    snapshots = [service.create_snapshot(volume) for _ in range(3)]
    assert {s.uuid for s in the_volume(stored(volume)).snapshots.values()} == {
        s.id for s in snapshots
    }
    # Again, as after a service that ended between the cluster's answer and Cinder's record.
    service.volume_manager.driver.create_snapshot(snapshots[0])
    assert len(the_volume(stored(volume)).snapshots) == 3
    for snapshot in snapshots[:2]:
        service.volumes.delete_snapshot(service.context, snapshot)
    assert [s.uuid for s in the_volume(stored(volume)).snapshots.values()] == [snapshots[2].id]
    service.volume_manager.driver.delete_snapshot(snapshots[0])
