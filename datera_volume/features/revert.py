# SPDX-License-Identifier: Apache-2.0
"""Reverting volumes to their snapshots."""

from __future__ import annotations

from typing import Any

from datera_volume.features.attach import AttachFeature
from datera_volume.operations import naming, offline
from datera_volume.operations.lookup import instance_of, snapshot_of


class RevertFeature(AttachFeature):
    """Reverts volumes in place."""

    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        """Revert a volume to a snapshot; Cinder calls this for volumes that are not attached.

        It stays offline, as any volume that is not attached, unless it is open to all hosts. The
        cluster restores it atomically: a failure leaves it unchanged.
        """
        with self._operation("Reverting volume %s", volume.id), self._attachments_of(volume):
            tenant = self._tenant(volume)
            ai = instance_of(tenant, volume.name_id)
            # First: without the snapshot the volume must not be set offline either.
            found = snapshot_of(tenant, ai.volume, naming.snapshot_key(snapshot))
            with offline.taken_offline(tenant, ai):
                tenant.restore(ai.volume, found)
