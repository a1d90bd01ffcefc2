# SPDX-License-Identifier: Apache-2.0
"""Put volumes back to one of their snapshots."""

from __future__ import annotations

from collections.abc import Sequence

from datera_emulator.building import check_usable
from datera_emulator.lookup import snapshot_in
from datera_emulator.model import AppInstance, Volume
from datera_emulator.routing import Call


def restore(call: Call, instance: AppInstance, volumes: Sequence[Volume], identity: str) -> None:
    """Give volumes their snapshots' data, all or none; the caller has seen that they are offline.

    :raises NotFound: a volume has no such snapshot.
    :raises RequestInvalid: a snapshot is still being created.
    :raises OSError: data could not be copied; the volumes are as they were.
    """
    cluster = call.cluster
    points = [snapshot_in(volume.snapshots, identity) for volume in volumes]
    for point in points:
        check_usable(call, point)
    # The volumes keep their present size: shrinking by a restore is not known of any array.
    copies = [
        cluster.copied_file(point.file, volume.size_bytes)
        for volume, point in zip(volumes, points, strict=True)
    ]
    for volume, point, copy in zip(volumes, points, copies, strict=True):
        cluster.doom_file(volume.file)
        volume.file = copy
        if cluster.switches.restore_keeps_newer_snapshots:
            continue
        for newer in [one for one in volume.snapshots.values() if one.order > point.order]:
            cluster.doom_file(newer.file)
            del volume.snapshots[newer.id]
        for whole in [one for one in instance.snapshots.values() if one.order > point.order]:
            del instance.snapshots[whole.id]
