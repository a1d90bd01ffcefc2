# SPDX-License-Identifier: Apache-2.0
"""Completing migrations and transfers of volumes."""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError, NotOnCluster, Tenant
from datera_volume.features.base import VolumeBackendBase
from datera_volume.operations import naming
from datera_volume.operations.lookup import instance_of

LOG = logging.getLogger(__name__)


class MigrateFeature(VolumeBackendBase):
    """Completes migrations and transfers."""

    def update_migrated_volume(
        self, ctxt: Any, volume: Any, new_volume: Any, original_volume_status: str, /
    ) -> dict[str, Any]:
        """Rename the migrated volume's new copy to the original's name.

        Where that name is taken, as on the same cluster until Cinder deletes the original, the copy
        keeps its own, and Cinder records it as the volume's ``name_id``.
        """
        with self._operation("Completing the migration of volume %s", volume.id):
            tenant = self._tenant(new_volume)
            ai = _copy_of(tenant, volume, new_volume)
            renamed = ai.name == naming.instance_name(volume.id) or self._take_over_name(
                tenant, ai, volume.id
            )
            self._write_metadata(tenant, ai, volume)
        return {
            "_name_id": None if renamed else new_volume.name_id,
            "provider_location": new_volume.provider_location,
        }

    def accept_transfer(
        self, context: Any, volume: Any, new_user: str, new_project: str
    ) -> dict[str, Any]:
        """Record the volume's tenant: it cannot be moved to that of its new project."""
        return self._model_update(self._tenant(volume))

    def _take_over_name(self, tenant: Tenant, ai: AppInstance, volume_id: str) -> bool:
        """Rename it to another volume, unless that exists here; whether that was done."""
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
        # Only the response may have been lost: Cinder must be told the actual name.
        return tenant.app_instance(ai.id).name == name


def _copy_of(tenant: Tenant, volume: Any, new_volume: Any) -> AppInstance:
    """Return the migrated volume's new copy, even if an earlier attempt has renamed it.

    :raises VolumeMissing: there is none.
    """
    copy_id = new_volume.name_id
    try:
        return instance_of(tenant, copy_id)
    except NotOnCluster:
        try:
            named = tenant.app_instance(naming.instance_name(volume.id))
        except NotOnCluster:
            named = None
        # A name is changed, uuid and description are not; created from a template, it has no uuid
        # of Cinder's.
        if named is None or (named.uuid != copy_id and named.descr != naming.description(copy_id)):
            raise
        return named
