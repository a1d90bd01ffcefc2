# SPDX-License-Identifier: Apache-2.0
"""Capacities and capabilities for the scheduler."""

from __future__ import annotations

import time
from typing import Any

from cinder.common import constants
from cinder.volume import volume_utils
from oslo_log import log as logging
from oslo_utils import units

from datera_volume import version
from datera_volume.connection import Cluster, DateraError, SystemInfo
from datera_volume.features.base import VolumeBackendBase
from datera_volume.operations import naming

LOG = logging.getLogger(__name__)

# Cinder polls once a minute (backend_stats_polling_interval). A later result would let it use
# outdated figures.
TIMEOUT = 20.0
UP, DOWN = "up", "down"
UNUSABLE_STATES = frozenset({"initializing", "booting", "dead"})
"""The operational states in which a cluster creates no volume (the schema of ``/system``)."""

UNREACHABLE = {"backend_state": DOWN, "total_capacity_gb": 0, "free_capacity_gb": 0}
"""The scheduler ignores the state: without free capacity its filter chooses another backend."""


def capacity_stats(system: SystemInfo, replicas: int) -> dict[str, Any]:
    """Return the capacities in GiB of data: raw capacity divided by the replicas.

    :param replicas: the replica count of a volume of a type that sets none.
    """

    def of_data(raw_bytes: int) -> float:
        gib: float = raw_bytes / units.Gi
        return round(gib / replicas, 2)

    return {
        "total_capacity_gb": of_data(system.total_capacity),
        "free_capacity_gb": of_data(system.available_capacity),
        "provisioned_capacity_gb": of_data(system.total_provisioned_capacity),
        "total_flash_capacity_gb": of_data(system.all_flash_total_capacity),
        "free_flash_capacity_gb": of_data(system.all_flash_available_capacity),
        "provisioned_flash_capacity_gb": of_data(system.all_flash_provisioned_capacity),
        "total_hybrid_capacity_gb": of_data(system.hybrid_total_capacity),
        "free_hybrid_capacity_gb": of_data(system.hybrid_available_capacity),
        "provisioned_hybrid_capacity_gb": of_data(system.hybrid_provisioned_capacity),
        "compression": system.compression_enabled,
        "compression_ratio": system.compression_ratio,
        "l3_enabled": system.l3_enabled,
        "health": system.health,
        "op_state": system.op_state,
    }


class StatsFeature(VolumeBackendBase):
    """Reports capacities and capabilities to the scheduler."""

    def _update_volume_stats(self) -> None:
        configured = self.configuration
        self._stats = {
            "volume_backend_name": configured.safe_get("volume_backend_name") or "Datera",
            "vendor_name": "Datera",
            "driver_version": version.VERSION,
            "storage_protocol": constants.ISCSI,
            "reserved_percentage": configured.safe_get("reserved_percentage"),
            "max_over_subscription_ratio": volume_utils.get_max_over_subscription_ratio(
                configured.safe_get("max_over_subscription_ratio"), supports_auto=True
            ),
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            # A new volume reads as zeros: a migration can skip them.
            "sparse_copy_volume": True,
            "multiattach": True,
            "QoS_support": True,
            "consistent_group_snapshot_enabled": True,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            **self._cluster_stats(),
        }

    def _cluster_stats(self) -> dict[str, Any]:
        """The cluster's figures; where it cannot be reached, those of a backend that is down."""
        section, cluster = self.settings.section, self.cluster
        with self._operation("Reading the capacity of %s", section):
            try:
                system = cluster.tenant().within(TIMEOUT).system()
                if system.op_state not in UNUSABLE_STATES:
                    return self._reachable_stats(cluster, system)
                reason: object = f"it is {system.op_state}"
            except DateraError as exc:
                reason = exc
        LOG.warning(
            "Backend %s is reported to the scheduler as down, without free capacity. The Datera "
            "cluster %s is not usable: %s",
            section,
            cluster.settings.address,
            reason,
        )
        return UNREACHABLE

    def _reachable_stats(self, cluster: Cluster, system: SystemInfo) -> dict[str, Any]:
        return {
            "backend_state": UP,
            "total_volumes": self._count_volumes(cluster),
            "online_extend_support": cluster.dialect.online_resize,
            **capacity_stats(system, self.settings.default_policies.replica_count),
        }

    def _count_volumes(self, cluster: Cluster) -> int | None:
        """The number of app instances in this backend's tenants; None where it is unknown.

        Missing permissions, or a tenant that does not respond, do not disable the backend.
        """
        setting, total = self.settings.tenant, 0
        deadline = time.monotonic() + TIMEOUT
        try:
            paths = (
                cluster.tenants() if naming.is_map(setting) else [naming.tenant_for(setting, "")]
            )
            for path in paths:
                count = cluster.tenant(path).at_once().count_app_instances()
                if count is None or time.monotonic() > deadline:
                    return None
                total += count
        except DateraError as exc:
            LOG.debug("The number of volumes of %s is unknown: %s", self.settings.section, exc)
            return None
        return total
