# SPDX-License-Identifier: Apache-2.0
"""The driver's part that puts volumes back to their snapshots."""

from __future__ import annotations

from typing import Any

from datera_volume import naming, switching
from datera_volume.attaching import Attaching
from datera_volume.lookup import instance_of, snapshot_of


class Reverting(Attaching):
    """Reverting a volume in place."""

    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        """Put a volume back to a snapshot; Cinder calls this for volumes that nobody uses.

        It stays offline, where a volume belongs that nobody is attached to, unless it is open to
        every host. The cluster restores it in one step: a failure leaves it as it was.
        """
        with self._doing("Reverting volume %s", volume.id), self._attachments_of(volume):
            tenant = self._tenant(volume)
            ai = instance_of(tenant, volume.name_id)
            # First: what cannot be restored must not be switched off either.
            found = snapshot_of(tenant, ai.volume, naming.snapshot_key(snapshot))
            with switching.switched_off(tenant, ai):
                tenant.restore(ai.volume, found)
