# SPDX-License-Identifier: Apache-2.0
"""The nodes that replicas lie on: shown, and taken out of service and back into it."""

from __future__ import annotations

from datera_emulator.api.render import storage_path, volume_path
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import closed, one_of
from datera_emulator.documents import Document
from datera_emulator.errors import NotFound
from datera_emulator.state.conditions import OK, op_state_of
from datera_emulator.state.model import GIB, StorageNode

ROUTES = Router()

_ONE = "/storage_nodes/:uuid"
_OP_STATES = {"online": "online", "offline": "offline", "decommission": "decommissioned"}


@ROUTES.route("GET", "/storage_nodes", entity="storage_node")
def list_all(call: Call) -> Result:
    """List the nodes."""
    nodes = list(call.cluster.storage_nodes.values())
    return Listing(nodes, lambda one: _shown(call, one), identity=lambda one: one.number)


@ROUTES.route("GET", _ONE, entity="storage_node")
def show(call: Call) -> Result:
    """Show one node."""
    return _shown(call, _node(call))


@ROUTES.route(
    "PUT",
    _ONE,
    entity="storage_node",
    body=closed(admin_state=one_of("online", "offline", "decommission")),
)
def update(call: Call) -> Result:
    """Take a node out of service, or back into it; its volumes' replicas are rebuilt then."""
    node, cluster = _node(call), call.cluster
    returns = node.admin_state != "online" == call.body.get("admin_state")
    node.admin_state = call.body.get("admin_state", node.admin_state)
    cluster.save(node)
    for instance in cluster.app_instances.values():
        held = [volume for _, volume in instance.volumes() if node in cluster.nodes_of(volume)]
        if returns and held:
            for volume in held:
                volume.recovering_reads = cluster.switches.recovery_reads
            cluster.save(instance)
        for storage in instance.storage_instances.values():
            if op_state_of(cluster, instance, storage) != "available":
                cluster.drop_sessions(storage)
    return _shown(call, node)


def _shown(call: Call, node: StorageNode) -> Document:
    cluster = call.cluster
    share = cluster.switches.total_capacity_gib * GIB // len(cluster.storage_nodes)
    placed = [
        (instance, storage, volume)
        for instance in cluster.app_instances.values()
        for storage, volume in instance.volumes()
        if node in cluster.nodes_of(volume)
    ]
    used = sum(cluster.files.used(volume.file) for _, _, volume in placed)
    targets = {storage_path(instance, storage): None for instance, storage, _ in placed}
    op_state = _OP_STATES[node.admin_state]
    shown: Document = {
        "path": node.path,
        "uuid": node.uuid,
        "name": node.name,
        "type": "hybrid",
        "admin_state": node.admin_state,
        "op_state": op_state,
        "health": OK if op_state == "online" else "warning",
        "disconnected": False,
        "sw_version": cluster.sw_version,
        "build_version": f"{cluster.sw_version}-emulator",
        "total_capacity": share,
        "total_raw_capacity": share,
        "available_capacity": max(0, share - used),
        "volumes": [{"path": volume_path(*place)} for place in placed],
        "storage_instances": [{"path": path} for path in targets],
    }
    if op_state != "online":
        shown["causes"] = [f"Storage node {node.name} is {node.admin_state}"]
    return shown


def _node(call: Call) -> StorageNode:
    uuid = call.arguments["uuid"]
    if uuid not in call.cluster.storage_nodes:
        raise NotFound(f"No storage node {uuid}")
    return call.cluster.storage_nodes[uuid]
