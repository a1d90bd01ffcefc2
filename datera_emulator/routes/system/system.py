# SPDX-License-Identifier: Apache-2.0
"""The cluster as a whole: versions and capacities."""

from __future__ import annotations

from datera_emulator.api.routing import Call, Result, Router
from datera_emulator.state.conditions import condition_of_cluster
from datera_emulator.state.model import GIB

ROUTES = Router()


@ROUTES.route("GET", "/system", entity="system")
def show(call: Call) -> Result:
    """Show the cluster. Capacities are raw: a volume counts once for each replica."""
    cluster = call.cluster
    total = cluster.switches.total_capacity_gib * GIB
    space = cluster.space.total()
    available = max(0, total - space.used)
    return {
        "path": "/system",
        "uuid": cluster.identity["cluster"]["uuid"],
        "name": "datera-emulator",
        "sw_version": cluster.sw_version,
        "build_version": f"{cluster.sw_version}-emulator",
        **condition_of_cluster(cluster),
        "op_state": "running",
        "total_capacity": total,
        "available_capacity": available,
        "total_provisioned_capacity": space.provisioned,
        "hybrid_total_capacity": total,
        "hybrid_available_capacity": available,
        "hybrid_provisioned_capacity": space.provisioned,
        "all_flash_total_capacity": 0,
        "all_flash_available_capacity": 0,
        "all_flash_provisioned_capacity": 0,
        "compression_enabled": False,
        "compression_ratio": "1.0",
        "l3_enabled": False,
        "network": {"path": "/system/network"},
        "dns": {"path": "/system/dns"},
        "uptime": (cluster.clock_ns() - cluster.started_ns) // 1_000_000_000,
    }
