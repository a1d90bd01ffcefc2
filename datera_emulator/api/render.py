# SPDX-License-Identifier: Apache-2.0
"""How the cluster's objects look in the API."""

from __future__ import annotations

from collections.abc import Iterable

from datera_emulator.documents import Document, Json
from datera_emulator.state.cluster import Cluster
from datera_emulator.state.conditions import condition_of, condition_of_all, op_state_of
from datera_emulator.state.model import (
    GIB,
    NO_UUID,
    AppInstance,
    Auth,
    Initiator,
    InitiatorGroup,
    IpPool,
    PlacementPolicy,
    Snapshot,
    SnapshotPolicy,
    StorageInstance,
    Tenant,
    Volume,
)
from datera_emulator.state.tenancy import ROOT
from datera_emulator.state.users import ROLES, User
from datera_emulator.switches import Dialect

HIDDEN = "(hidden)"


def reference(collection: str, name: str, owner: str = ROOT) -> Document:
    """Return a resolved reference; empty strings where nothing is referred to."""
    path = f"/{collection}/{name}" if name else ""
    return {"path": path, "resolved_path": path, "resolved_tenant": owner if name else ""}


def paths(collection: str, names: Iterable[str]) -> list[Document]:
    """Return simple references."""
    return [{"path": f"/{collection}/{name}"} for name in names]


def storage_path(instance: AppInstance, storage: StorageInstance) -> str:
    """Return a storage instance's path."""
    return f"{instance.path}/storage_instances/{storage.name}"


def volume_path(instance: AppInstance, storage: StorageInstance, volume: Volume) -> str:
    """Return a volume's path."""
    return f"{storage_path(instance, storage)}/volumes/{volume.name}"


def app_instance(cluster: Cluster, dialect: Dialect, instance: AppInstance) -> Document:
    """Return an app instance with all that is inside it."""
    shown: Document = {
        "tenant": instance.tenant,
        "path": instance.path,
        "name": instance.name,
        "id": instance.id,
        **condition_of_all(cluster, (one for _, one in instance.volumes())),
        "app_template": reference(
            "app_templates", instance.app_template, instance.app_template_tenant
        ),
        "descr": instance.descr,
        "admin_state": instance.admin_state,
        "storage_instances": [
            storage_instance(cluster, dialect, instance, storage)
            for storage in instance.storage_instances.values()
        ],
        "create_mode": instance.create_mode,
        "uuid": instance.uuid or NO_UUID,
        "snapshots": [snapshot(instance.path, one) for one in instance.snapshots.values()],
        "snapshot_policies": snapshot_policies(instance.path, instance.snapshot_policies),
        "deployment_state": "deployed",
    }
    if instance.cloning_reads:
        shown["op_state"] = "cloning"
    return shown


def storage_instance(
    cluster: Cluster, dialect: Dialect, instance: AppInstance, storage: StorageInstance
) -> Document:
    """Return a storage instance with its volumes."""
    path = storage_path(instance, storage)
    open_sessions = cluster.sessions.of(storage.iqn)
    active = {cluster.initiator_id(session.initiator) for session in open_sessions}
    return {
        **condition_of_all(cluster, storage.volumes.values()),
        "path": path,
        "name": storage.name,
        "admin_state": storage.admin_state,
        "op_state": op_state_of(cluster, instance, storage),
        "volumes": [
            volume(cluster, dialect, instance, storage, one) for one in storage.volumes.values()
        ],
        "access_control_mode": storage.access_control_mode,
        "acl_policy": acl_policy(instance, storage),
        "ip_pool": reference("access_network_ip_pools", storage.ip_pool),
        "access": access(cluster, instance, storage),
        "auth": auth(path, storage.auth),
        "active_initiators": paths("initiators", sorted(active)),
        "active_storage_nodes": nodes(cluster, 1),
        "uuid": storage.uuid,
    }


def access(cluster: Cluster, instance: AppInstance, storage: StorageInstance) -> Document:
    """Return a storage instance's portals and IQN."""
    return {
        "path": f"{storage_path(instance, storage)}/access",
        "ips": list(cluster.portals),
        "iqn": storage.iqn,
    }


def auth(path: str, credentials: Auth) -> Document:
    """Return the CHAP settings, without the secrets."""
    return {
        "path": f"{path}/auth",
        "type": credentials.type,
        "initiator_user_name": credentials.initiator_user_name,
        "initiator_pswd": HIDDEN,
        "target_user_name": credentials.target_user_name,
        "target_pswd": HIDDEN,
    }


def acl_policy(instance: AppInstance, storage: StorageInstance) -> Document:
    """Return a storage instance's ACL policy."""
    return {
        "path": f"{storage_path(instance, storage)}/acl_policy",
        "initiators": paths("initiators", storage.initiators),
        "initiator_groups": paths("initiator_groups", storage.initiator_groups),
    }


def volume(
    cluster: Cluster,
    dialect: Dialect,
    instance: AppInstance,
    storage: StorageInstance,
    one: Volume,
) -> Document:
    """Return a volume with its snapshots."""
    path = volume_path(instance, storage, one)
    shown: Document = {
        "path": path,
        "name": one.name,
        "replica_count": one.replica_count,
        "uuid": one.uuid,
        "size": one.size,
        "capacity_in_use": in_gib(cluster.files.used(one.file)),
        "snapshot_policies": snapshot_policies(path, one.snapshot_policies),
        "snapshots": [snapshot(path, point) for point in one.snapshots.values()],
        "placement_mode": one.placement_mode,
        "op_state": "available",
        "active_storage_nodes": nodes(cluster, one.replica_count),
        "deployment_state": "deployed",
        **condition_of(cluster, one),
    }
    if shown["health"] == "critical":
        shown["op_state"] = "unavailable"
    if one.operation_reads:
        shown["op_status"] = one.operation
        if cluster.switches.operation_in_op_state:
            shown["op_state"] = one.operation
    elif cluster.switches.idle_op_status_shown:
        shown["op_status"] = "none"
    if one.performance_policy is not None:
        shown["performance_policy"] = performance_policy(path, one.performance_policy)
    if dialect.placement_policies:
        shown["placement_policy"] = reference("placement_policies", one.placement_policy)
    return shown


def performance_policy(path: str, policy: dict[str, int]) -> Document:
    """Return a volume's limits."""
    return {"path": f"{path}/performance_policy", **policy}


def snapshot(parent: str, one: Snapshot) -> Document:
    """Return a snapshot of the volume or app instance at ``parent``."""
    return {
        "path": f"{parent}/snapshots/{one.id}",
        "uuid": one.uuid,
        "timestamp": one.id,
        "utc_ts": one.id,
        "op_state": "creating" if one.creating_reads else "available",
    }


def snapshot_policy(parent: str, one: SnapshotPolicy) -> Document:
    """Return a snapshot policy of whatever is at ``parent``."""
    shown: Document = {
        "path": f"{parent}/snapshot_policies/{one.name}",
        "name": one.name,
        "interval": one.interval,
        "retention_count": one.retention_count,
    }
    if one.start_time:
        shown["start_time"] = one.start_time
    return shown


def snapshot_policies(parent: str, policies: dict[str, SnapshotPolicy]) -> list[Document]:
    """Return all snapshot policies of whatever is at ``parent``."""
    return [snapshot_policy(parent, one) for one in policies.values()]


def initiator(one: Initiator) -> Document:
    """Return an initiator."""
    return {"tenant": one.tenant, "path": one.path, "id": one.id, "name": one.name}


def initiator_group(one: InitiatorGroup) -> Document:
    """Return a group of initiators."""
    return {
        "tenant": one.tenant,
        "path": one.path,
        "name": one.name,
        "members": paths("initiators", one.members),
    }


def tenant(cluster: Cluster, one: Tenant) -> Document:
    """Return a tenant with the names of those below it."""
    below = [
        other for other in cluster.tenants.values() if other.path.rpartition("/")[0] == one.path
    ]
    return {
        "path": tenant_path(cluster, one),
        "name": one.name,
        "descr": one.descr,
        "parent_path": one.path.rpartition("/")[0],
        "subtenants": [{"path": tenant_path(cluster, other)} for other in below],
    }


def tenant_path(cluster: Cluster, one: Tenant) -> str:
    """Return a tenant's path in the form that the switches choose."""
    return f"/tenants{one.path}" if cluster.switches.tenant_path_form == "long" else one.path


def user(one: User) -> Document:
    """Return a user, without the password."""
    return {
        "path": one.path,
        "user_id": one.user_id,
        "full_name": one.full_name,
        "email": one.email,
        "enabled": one.enabled,
        "roles": paths("roles", one.roles),
        "password": HIDDEN,
        "tenants": [{"path": path} for path in one.tenants],
    }


def role(name: str) -> Document:
    """Return a role."""
    return {
        "path": f"/roles/{name}",
        "role_id": name,
        "privileges": paths("privileges", ROLES[name]),
    }


def ip_pool(one: IpPool) -> Document:
    """Return an IP pool."""
    path = f"/access_network_ip_pools/{one.name}"
    return {
        "tenant": ROOT,
        "path": path,
        "name": one.name,
        "descr": one.descr,
        "network_paths": [
            {"path": f"{path}/network_paths/{inner.get('name', number)}", **inner}
            for number, inner in enumerate(one.network_paths, 1)
        ],
    }


def placement_policy(one: PlacementPolicy) -> Document:
    """Return a placement policy."""
    return {
        "tenant": ROOT,
        "path": f"/placement_policies/{one.name}",
        "name": one.name,
        "descr": one.descr,
        "max": one.max,
        "min": one.min,
    }


def nodes(cluster: Cluster, count: int) -> list[Document]:
    """Return the storage nodes that carry ``count`` replicas."""
    return paths("storage_nodes", cluster.identity["cluster"]["nodes"][:count])


def in_gib(size: int) -> Json:
    """Return bytes as GiB: an integer where it is one."""
    value = round(size / GIB, 3)
    return int(value) if value == int(value) else value
