# SPDX-License-Identifier: Apache-2.0
"""The Datera volume driver: Cinder's calls, Cinder's objects and Cinder's exceptions.

What is done on the cluster is in :mod:`datera_volume.operations`.
"""

from __future__ import annotations

from typing import Any

from cinder import exception, interface
from cinder.volume import driver
from cinder.volume.drivers.san import san
from oslo_log import log as logging

from datera_volume import capabilities, opts, version
from datera_volume.connection import Tenant
from datera_volume.features.attach_snapshot import AttachSnapshotFeature, delete_copy
from datera_volume.features.fail_over import FailOverFeature
from datera_volume.features.groups import GroupsFeature
from datera_volume.features.image_cache import ImageCacheFeature
from datera_volume.features.manage import ManageFeature
from datera_volume.features.migrate import MigrateFeature
from datera_volume.features.revert import RevertFeature
from datera_volume.features.stats import StatsFeature
from datera_volume.operations import naming, provisioning, retype

LOG = logging.getLogger(__name__)

CONNECTION_OPTIONS = (
    "use_chap_auth",
    "chap_username",
    "chap_password",
    "driver_use_ssl",
    "driver_ssl_cert_verify",
    "driver_ssl_cert_path",
    "driver_client_cert",
    "driver_client_cert_key",
)


@interface.volumedriver
class DateraDriver(
    RevertFeature,
    AttachSnapshotFeature,
    GroupsFeature,
    ImageCacheFeature,
    ManageFeature,
    MigrateFeature,
    FailOverFeature,
    StatsFeature,
):
    """Volumes on a Datera cluster, over iSCSI."""

    VERSION = version.VERSION
    CI_WIKI_NAME = "datera-ci"
    # Exclusive work takes locks of Cinder's coordination, and what processes must share is on the
    # cluster or in Cinder's database.
    SUPPORTS_ACTIVE_ACTIVE = True

    @staticmethod
    def get_driver_options() -> list[Any]:
        """Return the options of a backend's section, for the documentation."""
        login = [o for o in san.san_opts if o.name in ("san_ip", "san_login", "san_password")]
        shared = [o for o in driver.volume_opts if o.name in CONNECTION_OPTIONS]
        return [*login, *opts.OPTS, *shared]

    # -- volumes

    def create_volume(self, volume: Any) -> dict[str, Any]:
        """Create an empty volume.

        :returns: the model update.
        """
        with self._operation("Creating volume %s", volume.id):
            request = self._volume_request(volume)

            def make(tenant: Tenant) -> dict[str, Any]:
                self._write_metadata(tenant, provisioning.create(tenant, request), volume)
                return self._model_update(tenant)

            return self._create_in_tenant(volume, make)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> dict[str, Any]:
        """Clone a volume, and apply the clone's own type.

        It is created in the tenant of its source, wherever its own project's volumes are.
        """
        with self._operation("Cloning volume %s", volume.id):
            tenant = self._tenant(src_vref)
            ai = provisioning.copy_volume(tenant, self._volume_request(volume), src_vref.name_id)
            self._write_metadata(tenant, ai, volume)
            return self._model_update(tenant)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> dict[str, Any]:
        """Create a volume from a snapshot, and apply its own type.

        It is created in the tenant of the snapshot, wherever its own project's volumes are.
        """
        with self._operation("Creating volume %s from a snapshot", volume.id):
            tenant, source = self._tenant(snapshot.volume), snapshot.volume.name_id
            ai = provisioning.copy_snapshot(
                tenant, self._volume_request(volume), source, naming.snapshot_key(snapshot)
            )
            self._write_metadata(tenant, ai, volume)
            return self._model_update(tenant)

    def delete_volume(self, volume: Any) -> None:
        """Delete a volume; no error if it is proven to be gone.

        :raises VolumeIsBusy: the cluster refuses to delete it now.
        :raises VolumeBackendAPIException: it is not found, but may still exist.
        """
        with self._operation("Deleting volume %s", volume.id):
            try:
                provisioning.delete(
                    self._tenant(volume), volume.name_id, lambda: self._all_tenants(volume)
                )
            except provisioning.Busy as exc:
                LOG.warning("Volume %s cannot be deleted now: %s", volume.id, exc)
                raise exception.VolumeIsBusy(volume_name=volume.name) from exc

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Extend a volume to that many GiB."""
        # Where that is done offline, no host may attach meanwhile.
        with self._operation("Extending volume %s", volume.id), self._attachments_of(volume):
            provisioning.extend(
                self._tenant(volume), volume.name_id, new_size, self._types.limits(volume)
            )

    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> bool:
        """Retype a volume in place; False where that is not possible.

        :raises InvalidVolumeType: the new type has an invalid extra spec.
        """
        with self._operation("Retyping volume %s", volume.id), self._attachments_of(volume):
            types = self._types
            new = types.policies(new_type["id"])
            old = types.values(volume.volume_type_id)
            return retype.retype(self._tenant(volume), volume.name_id, volume.size, new, old)

    # -- snapshots

    def create_snapshot(self, snapshot: Any) -> None:
        """Create a snapshot with Cinder's id as its uuid."""
        volume = snapshot.volume
        with self._operation("Creating a snapshot of volume %s", volume.id):
            provisioning.take_snapshot(self._tenant(volume), volume.name_id, snapshot.id)

    def delete_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot; no error if it is proven to be gone.

        :raises SnapshotIsBusy: the cluster refuses to delete it now.
        :raises VolumeBackendAPIException: it is not found, but may still exist.
        """
        volume = snapshot.volume
        with self._operation("Deleting a snapshot of volume %s", volume.id):
            tenant, key = self._tenant(volume), naming.snapshot_key(snapshot)
            try:
                if not snapshot.use_quota:
                    # Cinder's temporary one, of a backup that may have failed while attached.
                    delete_copy(tenant, snapshot.id)
                provisioning.delete_snapshot(
                    tenant, volume.name_id, key, lambda: self._all_tenants(volume)
                )
            except provisioning.Busy as exc:
                LOG.warning("Snapshot %s cannot be deleted now: %s", snapshot.id, exc)
                raise exception.SnapshotIsBusy(snapshot_name=snapshot.name) from exc

    # -- the scheduler

    def _init_vendor_properties(self) -> tuple[dict[str, Any], str]:
        settings = self.settings
        properties = capabilities.vendor_properties(
            settings.type_defaults, one_replica=settings.one_replica
        )
        return properties, capabilities.VENDOR
