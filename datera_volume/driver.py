# SPDX-License-Identifier: Apache-2.0
"""The Datera volume driver: Cinder's calls, Cinder's objects and Cinder's exceptions.

What is done on the cluster stands in the modules beside this one.
"""

from __future__ import annotations

from typing import Any

from cinder import exception, interface
from cinder.common import constants
from cinder.volume import driver, volume_utils
from cinder.volume.drivers.san import san
from oslo_log import log as logging

from datera_volume import capabilities, naming, opts, provisioning, retyping, version
from datera_volume.grouping import Grouping
from datera_volume.image_cache import ImageCache
from datera_volume.managing import Managing
from datera_volume.moving import Moving
from datera_volume.reverting import Reverting
from datera_volume.snapshot_attachment import AttachingSnapshots, delete_copy
from datera_volume.stats import capacity_stats

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
class DateraDriver(Reverting, AttachingSnapshots, Grouping, ImageCache, Managing, Moving):
    """Volumes on a Datera cluster, over iSCSI."""

    VERSION = version.VERSION
    CI_WIKI_NAME = "datera-ci"
    # Who is on the way in or out of a volume is remembered in one process: see Guests.
    SUPPORTS_ACTIVE_ACTIVE = False

    @staticmethod
    def get_driver_options() -> list[Any]:
        """Return what may stand in the backend's section, for the documentation."""
        login = [o for o in san.san_opts if o.name in ("san_ip", "san_login", "san_password")]
        shared = [o for o in driver.volume_opts if o.name in CONNECTION_OPTIONS]
        return [*login, *opts.OPTS, *shared]

    # -- volumes

    def create_volume(self, volume: Any) -> None:
        """Make an empty volume."""
        with self._doing("Creating volume %s", volume.id):
            tenant = self._tenant_made(volume)
            self._note(tenant, provisioning.create(tenant, self._wanted(volume)), volume)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> dict[str, Any]:
        """Make a volume with the contents of another, and its own type's policies.

        It lies in the tenant of that other, wherever its own project's volumes lie.
        """
        with self._doing("Cloning volume %s", volume.id):
            tenant = self._tenant(src_vref)
            ai = provisioning.copy_volume(tenant, self._wanted(volume), src_vref.name_id)
            self._note(tenant, ai, volume)
            return self._remembered(volume, tenant)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> dict[str, Any]:
        """Make a volume with the contents of a snapshot, and its own type's policies.

        It lies in the tenant of the snapshot, wherever its own project's volumes lie.
        """
        with self._doing("Creating volume %s from a snapshot", volume.id):
            tenant, source = self._tenant(snapshot.volume), snapshot.volume.name_id
            ai = provisioning.copy_snapshot(
                tenant, self._wanted(volume), source, naming.snapshot_key(snapshot)
            )
            self._note(tenant, ai, volume)
            return self._remembered(volume, tenant)

    def delete_volume(self, volume: Any) -> None:
        """Delete a volume; one that is gone is deleted.

        :raises VolumeIsBusy: the cluster will not delete it now.
        """
        with self._doing("Deleting volume %s", volume.id):
            try:
                provisioning.delete(self._tenant(volume), volume.name_id)
            except provisioning.Busy as exc:
                LOG.warning("Volume %s cannot be deleted now: %s", volume.id, exc)
                raise exception.VolumeIsBusy(volume_name=volume.name) from exc

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Grow a volume to that many GiB."""
        # Where that is done offline, nobody may be let in meanwhile.
        with self._doing("Extending volume %s", volume.id), self._attachments_of(volume):
            provisioning.extend(
                self._tenant(volume), volume.name_id, new_size, self._types.limits(volume)
            )

    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> bool:
        """Give a volume another type where it lies; False where that is not possible.

        :raises InvalidVolumeType: the new type says something that cannot be read.
        """
        with self._doing("Retyping volume %s", volume.id), self._attachments_of(volume):
            types = self._types
            new = types.policies(new_type["id"])
            old = types.values(volume.volume_type_id)
            return retyping.retype(self._tenant(volume), volume.name_id, volume.size, new, old)

    # -- snapshots

    def create_snapshot(self, snapshot: Any) -> None:
        """Take a snapshot, under Cinder's own id for it."""
        volume = snapshot.volume
        with self._doing("Taking a snapshot of volume %s", volume.id):
            provisioning.take_snapshot(self._tenant(volume), volume.name_id, snapshot.id)

    def delete_snapshot(self, snapshot: Any) -> None:
        """Delete a snapshot; one that is gone is deleted.

        :raises SnapshotIsBusy: the cluster will not delete it now.
        """
        volume = snapshot.volume
        with self._doing("Deleting a snapshot of volume %s", volume.id):
            tenant, key = self._tenant(volume), naming.snapshot_key(snapshot)
            try:
                if not snapshot.use_quota:
                    # Cinder's own, for a backup that may have died while it was attached.
                    delete_copy(tenant, snapshot.id)
                provisioning.delete_snapshot(tenant, volume.name_id, key)
            except provisioning.Busy as exc:
                LOG.warning("Snapshot %s cannot be deleted now: %s", snapshot.id, exc)
                raise exception.SnapshotIsBusy(snapshot_name=snapshot.name) from exc

    # -- the scheduler

    def _update_volume_stats(self) -> None:
        with self._doing("Reading the capacity of %s", self.settings.section):
            system = self.cluster.system()
        configured = self.configuration
        self._stats = {
            "volume_backend_name": configured.safe_get("volume_backend_name") or "Datera",
            "vendor_name": "Datera",
            "driver_version": self.VERSION,
            "storage_protocol": constants.ISCSI,
            "reserved_percentage": configured.safe_get("reserved_percentage"),
            "max_over_subscription_ratio": volume_utils.get_max_over_subscription_ratio(
                configured.safe_get("max_over_subscription_ratio"), supports_auto=True
            ),
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "online_extend_support": True,
            "multiattach": True,
            "QoS_support": True,
            "consistent_group_snapshot_enabled": True,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            **capacity_stats(system, self.settings.default_policies.replica_count),
        }

    def _init_vendor_properties(self) -> tuple[dict[str, Any], str]:
        settings = self.settings
        properties = capabilities.vendor_properties(
            settings.type_defaults, one_replica=settings.one_replica
        )
        return properties, capabilities.VENDOR
