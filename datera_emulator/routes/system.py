# SPDX-License-Identifier: Apache-2.0
"""The cluster as a whole: versions and capacities."""

from __future__ import annotations

from datera_emulator.documents import Document
from datera_emulator.model import GIB
from datera_emulator.render import nodes
from datera_emulator.routing import Call, Listing, Result, Router

ROUTES = Router()


@ROUTES.route("GET", "/system", entity="system")
def show(call: Call) -> Result:
    """Show the cluster. Capacities are raw: a volume counts once for each replica."""
    cluster = call.cluster
    total = cluster.switches.total_capacity_gib * GIB
    provisioned = used = 0
    for volume in cluster.volumes():
        provisioned += volume.size_bytes * volume.replica_count
        used += cluster.files.used(volume.file) * volume.replica_count
    available = max(0, total - used)
    return {
        "path": "/system",
        "uuid": cluster.identity["cluster"]["uuid"],
        "name": "datera-emulator",
        "sw_version": cluster.sw_version,
        "build_version": f"{cluster.sw_version}-emulator",
        "health": "ok",
        "op_state": "running",
        "total_capacity": total,
        "available_capacity": available,
        "total_provisioned_capacity": provisioned,
        "hybrid_total_capacity": total,
        "hybrid_available_capacity": available,
        "hybrid_provisioned_capacity": provisioned,
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


@ROUTES.route("GET", "/storage_nodes", entity="storage_node")
def list_nodes(call: Call) -> Result:
    """List the nodes that replicas are said to lie on."""

    def shown(reference: Document) -> Document:
        return {
            **reference,
            "uuid": reference["path"].rpartition("/")[2],
            "op_state": "online",
            "health": "ok",
        }

    return Listing(nodes(call.cluster, 5), shown, identity=lambda one: one["path"])
