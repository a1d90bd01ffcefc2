# SPDX-License-Identifier: Apache-2.0
"""Health: of volumes by the nodes of their replicas, and of targets by their volumes.

Its keys (``causes``, ``storage_state``, ``recovery_state``, ``availability_state``)
are shown only if something is wrong: no recorded response for a healthy volume has them.
"""

from __future__ import annotations

from collections.abc import Iterable

from datera_emulator.documents import Document
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.model import AppInstance, StorageInstance, Volume

OK = "ok"
_WARNING = "warning"
_CRITICAL = "critical"
_ONLINE = "online"


def condition_of(cluster: Cluster, volume: Volume) -> Document:
    """Return a volume's health."""
    nodes = cluster.nodes_of(volume)
    down = [node for node in nodes if node.admin_state != _ONLINE]
    if not down and not volume.recovering_reads:
        return {"health": OK}
    lost = len(down) == len(nodes)
    causes = [f"Storage node {node.name} is {node.admin_state}" for node in down]
    return {
        "health": _CRITICAL if lost else _WARNING,
        "causes": causes or ["Replicas are being rebuilt"],
        "storage_state": "replicas_degraded",
        "recovery_state": "recovery_pending" if down else "recovery_in_progress",
        "availability_state": "unavailable" if lost else "available",
    }


def worst(conditions: Iterable[Document]) -> Document:
    """Return the health of a parent of objects in these conditions, and all causes, each once."""
    found = list(conditions)
    causes = list(dict.fromkeys(cause for one in found for cause in one.get("causes", ())))
    for health in (_CRITICAL, _WARNING):
        if any(one["health"] == health for one in found):
            return {"health": health, "causes": causes}
    return {"health": OK}


def condition_of_all(cluster: Cluster, volumes: Iterable[Volume]) -> Document:
    """Return the health of a target or an app instance with these volumes."""
    return worst(condition_of(cluster, volume) for volume in volumes)


def condition_of_cluster(cluster: Cluster) -> Document:
    """Return the cluster's health."""
    down = [node for node in cluster.storage_nodes.values() if node.admin_state != _ONLINE]
    own = [
        {"health": _WARNING, "causes": [f"Storage node {node.name} is {node.admin_state}"]}
        for node in down
    ]
    # With all nodes online, only a volume that recovers is not well: few of ten thousand.
    instances = cluster.app_instances if down else cluster.index.recovering
    volumes = (one for key in instances for _, one in cluster.app_instances[key].volumes())
    return worst([*own, *(condition_of(cluster, volume) for volume in volumes)])


def op_state_of(cluster: Cluster, instance: AppInstance, storage: StorageInstance) -> str:
    """Return "available" when a host can log in to a storage instance now."""
    for volume in storage.volumes.values():
        if condition_of(cluster, volume).get("availability_state") == "unavailable":
            return "unavailable"
    return instance.op_state_of(storage)
