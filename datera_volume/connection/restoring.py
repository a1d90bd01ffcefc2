# SPDX-License-Identifier: Apache-2.0
"""Putting a volume back to one of its snapshots."""

from __future__ import annotations

from datera_volume.connection.asking import SETTLE_SECONDS, Asking
from datera_volume.connection.model import AVAILABLE, Snapshot, VolumeRef


def restore(asking: Asking, ref: VolumeRef, snapshot: Snapshot) -> None:
    """Give the volume the snapshot's contents, and return once it can be used again.

    :raises RequestRefused: the volume is online, or the snapshot cannot be used.
    :raises NotReadyInTime: it was accepted, and the volume is not available before the deadline.
    """
    answer = asking.put(ref.path, {"restore_point": snapshot.utc_ts})
    if answer.get("op_state") == AVAILABLE:
        return
    asking.patience.until(
        lambda: asking.get(ref.path),
        lambda seen: seen.get("op_state", AVAILABLE) == AVAILABLE,
        seconds=SETTLE_SECONDS,
        what=f"{ref.path} to be restored",
    )
