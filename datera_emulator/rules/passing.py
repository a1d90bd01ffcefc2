# SPDX-License-Identifier: Apache-2.0
"""Transient states: each read of an object advances them by one step.

So clients poll, and equally often on slow and fast machines. The values are those of the array's
schema (``op_status`` of a volume), which has none for a restore except that for internal ones.
"""

from __future__ import annotations

from datera_emulator.api.routing import Call
from datera_emulator.errors import RequestInvalid
from datera_emulator.state.model import RESTORING, AppInstance, Snapshot, StorageInstance, Volume

RESIZING = "volume_resize_in_progress"
REPLICATING = "replica_change_in_progress"
PLACING = "placement_change_in_progress"


def reads_of(call: Call, operation: str) -> int:
    """Return for how many reads an operation on a volume is in progress."""
    switches = call.cluster.switches
    return {
        RESIZING: switches.resize_reads,
        REPLICATING: switches.replica_change_reads,
        PLACING: switches.placement_change_reads,
        RESTORING: switches.restore_reads,
    }[operation]


def begin(call: Call, volume: Volume, operation: str) -> None:
    """Start an operation of the duration in the switches; the longest of several is shown."""
    reads = reads_of(call, operation)
    if reads > volume.operation_reads:
        volume.operation, volume.operation_reads = operation, reads


def check_at_rest(call: Call, volume: Volume) -> None:
    """Refuse to change a volume during an operation on it, if the switches require it.

    :raises RequestInvalid: one is in progress.
    """
    if volume.operation_reads and call.cluster.switches.change_during_operation == "refuse":
        raise RequestInvalid(f"Volume {volume.name} cannot be changed now: {volume.operation}")


def pass_time(instance: AppInstance) -> None:
    """Advance an app instance's transient states by one read."""
    if instance.cloning_reads:
        instance.cloning_reads -= 1
    for point in instance.snapshots.values():
        settle(point)
    for storage in instance.storage_instances.values():
        attempt(instance, storage)
        for one in storage.volumes.values():
            if not one.restoring:
                _continue(one)
            one.recovering_reads = max(0, one.recovering_reads - 1)
            for point in one.snapshots.values():
                settle(point)


def attempt(instance: AppInstance, storage: StorageInstance) -> None:
    """Advance by a login attempt as by a read: a retry succeeds, as with an array."""
    if storage.unavailable_reads and instance.admin_state == "online":
        storage.unavailable_reads -= 1
    for one in storage.volumes.values():
        if one.restoring:
            _continue(one)


def settle(point: Snapshot) -> None:
    """Advance a snapshot by one read towards being available."""
    if point.creating_reads:
        point.creating_reads -= 1


def _continue(volume: Volume) -> None:
    volume.operation_reads = max(0, volume.operation_reads - 1)
