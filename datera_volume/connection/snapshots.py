# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a volume, found by the uuid that they were given."""

from __future__ import annotations

from typing import Any

from datera_volume.connection import reading, tracing
from datera_volume.connection.asking import SETTLE_SECONDS, Asking
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    NotOnCluster,
    OutcomeUnknown,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.limits import room_for
from datera_volume.connection.model import AVAILABLE, Snapshot, VolumeRef
from datera_volume.connection.paths import child

LOG = tracing.logger(__name__)
FREE_SNAPSHOTS = "Delete snapshots of this volume, or of others"

CREATE_ATTEMPTS = 3


def listed(asking: Asking, ref: VolumeRef) -> list[Snapshot]:
    """Return all snapshots of the volume."""
    return [reading.snapshot(item, ref.path) for item in asking.all(child(ref.path, "snapshots"))]


def find(asking: Asking, ref: VolumeRef, uuid: str) -> Snapshot:
    """Return the snapshot with this uuid, or with this id on the cluster.

    :raises NotOnCluster: there is none, or no such volume.
    """
    for snapshot in listed(asking, ref):
        if uuid in (snapshot.uuid, snapshot.utc_ts):
            return snapshot
    raise NotOnCluster(f"No snapshot {uuid} of {ref.path} in {asking.tenant}")


def take(asking: Asking, ref: VolumeRef, uuid: str) -> Snapshot:
    """Take one under this uuid, or return the one that has it, once it is available.

    :raises NotReadyInTime: it is not available before the deadline.
    """
    return _available(asking, ref, _taken(asking, ref, uuid))


def delete(asking: Asking, ref: VolumeRef, uuid: str) -> None:
    """Delete the snapshot with this uuid, or with this id on the cluster.

    :raises NotOnCluster: there is none, or no such volume.
    """
    asking.delete(find(asking, ref, uuid).path)


def _taken(asking: Asking, ref: VolumeRef, uuid: str) -> Snapshot:
    lost: Exception | None = None
    for _attempt in range(CREATE_ATTEMPTS):
        refused: Exception | None = None
        try:
            with room_for(f"snapshot {uuid}", FREE_SNAPSHOTS):
                fields: Any = asking.post(child(ref.path, "snapshots"), {"uuid": uuid})
            return reading.snapshot({"uuid": uuid, **fields}, ref.path)
        except (OutcomeUnknown, UnexpectedAnswer) as exc:
            LOG.warning("Looking whether snapshot %s was taken: %s", uuid, exc)
            lost = exc
        except (AlreadyOnCluster, RequestRefused) as exc:
            # A uuid that is taken is refused: the snapshot may be there from an earlier attempt.
            refused = exc
        try:
            return find(asking, ref, uuid)
        except NotOnCluster:
            if refused is not None:
                raise refused from None
    raise OutcomeUnknown(f"Whether snapshot {uuid} was taken is not known: {lost}") from lost


def _available(asking: Asking, ref: VolumeRef, snapshot: Snapshot) -> Snapshot:
    if snapshot.op_state == AVAILABLE:
        return snapshot
    return asking.patience.until(
        lambda: reading.snapshot(asking.get(snapshot.path), ref.path),
        lambda seen: seen.op_state == AVAILABLE,
        seconds=SETTLE_SECONDS,
        what=f"snapshot {snapshot.uuid} to be available",
    )
