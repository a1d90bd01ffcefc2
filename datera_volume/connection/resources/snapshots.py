# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a volume: creating and finding by uuid, deleting, restoring to one."""

from __future__ import annotations

from typing import Any

from datera_volume.connection.cluster_limits import room_for
from datera_volume.connection.errors import (
    AlreadyOnCluster,
    ClusterFault,
    NotOnCluster,
    OutcomeUnknown,
    RequestInvalid,
    RequestRefused,
    UnexpectedAnswer,
)
from datera_volume.connection.resources import parsing
from datera_volume.connection.resources.adapter import SETTLE_SECONDS, Fields, TenantPart
from datera_volume.connection.resources.changing import DOUBTFUL, is_busy, removed
from datera_volume.connection.resources.model import AVAILABLE, Snapshot, VolumeRef
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.paths import child

LOG = tracing.logger(__name__)
FREE_SNAPSHOTS = "Delete snapshots of this volume, or of others"

CREATE_ATTEMPTS = 3


class Snapshots(TenantPart):
    """Snapshots of the volumes of a tenant."""

    def snapshots(self, ref: VolumeRef) -> list[Snapshot]:
        """Return all snapshots of the volume."""
        return [
            parsing.snapshot(item, ref.path)
            for item in self._adapter.all(child(ref.path, "snapshots"))
        ]

    def _find_snapshot(self, ref: VolumeRef, uuid: str) -> Snapshot:
        """Return the snapshot with this uuid, or with this id on the cluster.

        :raises NotOnCluster: there is none, or no such volume.
        """
        for snapshot in self.snapshots(ref):
            if snapshot.is_called(uuid):
                return snapshot
        raise NotOnCluster(f"No snapshot {uuid} of {ref.path} in {self._adapter.tenant}")

    def snapshot(self, ref: VolumeRef, uuid: str) -> Snapshot:
        """Create a snapshot with this uuid, or return the one that has it, once it is available.

        :raises NotReadyInTime: it was created and is not available by the deadline.
        """
        return self._available(ref, self._taken(ref, uuid))

    def delete_snapshot(self, ref: VolumeRef, uuid: str) -> None:
        """Delete the snapshot with this uuid, or with this id on the cluster.

        :raises NotOnCluster: there is none, or no such volume.
        """
        found = self._find_snapshot(ref, uuid)
        removed(
            lambda: self._adapter.delete(found.path),
            lambda: self._find_snapshot(ref, found.utc_ts),
            f"deleting snapshot {uuid}",
        )

    def _taken(self, ref: VolumeRef, uuid: str) -> Snapshot:
        lost: Exception | None = None
        for _attempt in range(CREATE_ATTEMPTS):
            refused: Exception | None = None
            try:
                with room_for(f"snapshot {uuid}", FREE_SNAPSHOTS):
                    fields: Any = self._adapter.post(child(ref.path, "snapshots"), {"uuid": uuid})
                return parsing.snapshot({"uuid": uuid, **fields}, ref.path)
            except (OutcomeUnknown, UnexpectedAnswer) as exc:
                LOG.warning("Checking whether snapshot %s was created: %s", uuid, exc)
                lost = exc
            except (AlreadyOnCluster, RequestRefused, ClusterFault) as exc:
                # A uuid that is in use is refused: the snapshot may exist from an earlier attempt.
                # Its state tells whether it is complete.
                refused = exc
            try:
                return self._find_snapshot(ref, uuid)
            except NotOnCluster:
                if refused is not None:
                    raise refused from None
        raise OutcomeUnknown(f"Snapshot {uuid} may or may not have been created: {lost}") from lost

    def _available(self, ref: VolumeRef, snapshot: Snapshot) -> Snapshot:
        if snapshot.op_state == AVAILABLE:
            return snapshot
        return self._adapter.poller.until(
            lambda: parsing.snapshot(self._adapter.get(snapshot.path), ref.path),
            lambda seen: seen.op_state == AVAILABLE,
            seconds=SETTLE_SECONDS,
            what=f"snapshot {snapshot.uuid} to be available",
        )

    def restore(self, ref: VolumeRef, snapshot: Snapshot) -> None:
        """Restore the volume to a snapshot, and return once it is available again.

        Its app instance must be offline. Whether the volume was restored cannot be read from the
        cluster: so where the outcome is in doubt, it is restored again.

        :raises RequestRefused: it is online, or the snapshot cannot be used.
        :raises NotReadyInTime: the volume is not available again before the deadline.
        """
        body = {"restore_point": snapshot.utc_ts}
        try:
            response = self._adapter.put(ref.path, body)
        except RequestInvalid:
            raise
        except RequestRefused:
            if _is_available(self._adapter.get(ref.path)):
                raise
            # It is processing the first of two requests, whose response was lost.
            self._await_available(ref)
            response = self._adapter.put(ref.path, body)
        except (UnexpectedAnswer, ClusterFault):
            self._await_available(ref)
            response = self._adapter.put(ref.path, body)
        if response.get("op_state") != AVAILABLE or is_busy(response):
            self._await_available(ref)

    def _await_available(self, ref: VolumeRef) -> None:
        self._adapter.poller.until(
            lambda: self._adapter.get(ref.path),
            _is_available,
            seconds=SETTLE_SECONDS,
            what=f"{ref.path} to be restored",
            forgive=DOUBTFUL,
        )


def _is_available(fields: Fields) -> bool:
    return fields.get("op_state", AVAILABLE) == AVAILABLE and not is_busy(fields)
