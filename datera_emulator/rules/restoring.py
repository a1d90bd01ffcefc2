# SPDX-License-Identifier: Apache-2.0
"""Put volumes back to one of their snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from datera_emulator.api.routing import Call
from datera_emulator.rules.building import check_usable
from datera_emulator.rules.lookup import snapshot_in
from datera_emulator.rules.passing import begin, check_at_rest
from datera_emulator.state.model import RESTORING, AppInstance, Volume


def restore(call: Call, instance: AppInstance, volumes: Sequence[Volume], identity: str) -> None:
    """Restore volumes from their snapshots, all or none; the caller ensures that they are offline.

    :raises NotFound: a volume has no such snapshot.
    :raises RequestInvalid: a snapshot is still being created, or a volume is being changed.
    :raises OSError: data could not be copied; the volumes are as they were.
    """
    cluster = call.cluster
    points = [snapshot_in(volume.snapshots, identity) for volume in volumes]
    for point in points:
        check_usable(call, point)
    for volume in volumes:
        check_at_rest(call, volume)
    # The volumes keep their size: no array is known to shrink them by a restore.
    copies = [
        cluster.copied_file(point.file, volume.size_bytes)
        for volume, point in zip(volumes, points, strict=True)
    ]
    for volume, point, copy in zip(volumes, points, copies, strict=True):
        cluster.doom_file(volume.file)
        volume.file = copy
        begin(call, volume, RESTORING)
        if cluster.switches.restore_keeps_newer_snapshots:
            continue
        for newer in [one for one in volume.snapshots.values() if one.order > point.order]:
            cluster.doom_file(newer.file)
            del volume.snapshots[newer.id]
        for whole in [one for one in instance.snapshots.values() if one.order > point.order]:
            del instance.snapshots[whole.id]
