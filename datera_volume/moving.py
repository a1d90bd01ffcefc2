# SPDX-License-Identifier: Apache-2.0
"""The driver's part for volumes that move: between clusters, and between projects."""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from datera_volume import naming
from datera_volume.backend import Backend
from datera_volume.connection import AppInstance, DateraError, NotOnCluster, Tenant
from datera_volume.lookup import instance_of

LOG = logging.getLogger(__name__)


class Moving(Backend):
    """Migration and transfer."""

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str, /
    ) -> dict[str, Any]:
        """Let the volume that was copied to take over the name of the one that was copied.

        Where that name is taken, which it is on the same cluster until Cinder deletes the original,
        the new one keeps its own, and Cinder remembers it as the volume's ``name_id``.
        """
        with self._doing("Completing the migration of volume %s", volume.id):
            tenant = self._tenant(new_volume)
            ai = instance_of(tenant, new_volume.name_id)
            renamed = self._take_over_name(tenant, ai, volume.id)
            self._note(tenant, ai, volume)
        return {
            "_name_id": None if renamed else new_volume.name_id,
            "provider_location": new_volume.provider_location,
        }

    def accept_transfer(
        self, context: Any, volume: Any, new_user: str, new_project: str
    ) -> dict[str, Any]:
        """Remember where a volume lies whose new project has another tenant; it cannot be moved."""
        lies_in = self._tenant(volume).path
        own = naming.tenant_for(self.settings.tenant, new_project)
        return {"provider_id": None if lies_in == own else lies_in}

    def _take_over_name(self, tenant: Tenant, ai: AppInstance, volume_id: str) -> bool:
        """Name it after another volume, if nothing here is that volume; whether that was done."""
        try:
            # The in-tree driver's names count too: with two of them, the wrong one may be deleted.
            instance_of(tenant, volume_id)
            return False
        except NotOnCluster:
            pass
        name = naming.instance_name(volume_id)
        try:
            return tenant.rename(ai, name).name == name
        except DateraError as exc:
            LOG.warning("App instance %s could not be renamed to %s: %s", ai.name, name, exc)
        # The answer may have been lost, not the request: Cinder must be told what is.
        return tenant.app_instance(ai.id).name == name
