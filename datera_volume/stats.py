# SPDX-License-Identifier: Apache-2.0
"""What the scheduler is told about a cluster."""

from __future__ import annotations

from typing import Any

from datera_volume.connection import SystemInfo

GIB = 2**30


def capacity_stats(system: SystemInfo, replicas: int) -> dict[str, Any]:
    """Return the capacities in GiB of data, which takes its space once for each replica.

    :param replicas: how many replicas a volume without other demands has.
    """

    def of_data(raw_bytes: int) -> float:
        return round(raw_bytes / GIB / replicas, 2)

    return {
        "total_capacity_gb": of_data(system.total_capacity),
        "free_capacity_gb": of_data(system.available_capacity),
        # Sizes as they were asked for: replicas do not count in them.
        "provisioned_capacity_gb": round(system.total_provisioned_capacity / GIB, 2),
        "total_flash_capacity_gb": of_data(system.all_flash_total_capacity),
        "free_flash_capacity_gb": of_data(system.all_flash_available_capacity),
        "total_hybrid_capacity_gb": of_data(system.hybrid_total_capacity),
        "free_hybrid_capacity_gb": of_data(system.hybrid_available_capacity),
        "compression": system.compression_enabled,
        "compression_ratio": system.compression_ratio,
        "l3_enabled": system.l3_enabled,
    }
