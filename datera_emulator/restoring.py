# SPDX-License-Identifier: Apache-2.0
"""Put a volume back to one of its snapshots."""

from __future__ import annotations

from datera_emulator.building import check_usable
from datera_emulator.lookup import snapshot_in
from datera_emulator.model import Volume
from datera_emulator.routing import Call


def restore(call: Call, volume: Volume, identity: str) -> None:
    """Give a volume the snapshot's data; the caller has seen that it is offline.

    :raises NotFound: the volume has no such snapshot.
    :raises RequestInvalid: the snapshot is still being created.
    :raises OSError: the data could not be copied; the volume is as it was.
    """
    snapshot = snapshot_in(volume.snapshots, identity)
    check_usable(call, snapshot)
    # The volume keeps its present size: shrinking by a restore is not known of any array.
    copy = call.cluster.files.copy(snapshot.file, volume.size_bytes)
    call.cluster.doom_file(volume.file)
    volume.file = copy
    if not call.cluster.switches.restore_keeps_newer_snapshots:
        for newer in [one for one in volume.snapshots.values() if one.order > snapshot.order]:
            call.cluster.doom_file(newer.file)
            del volume.snapshots[newer.id]
