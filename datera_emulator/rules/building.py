# SPDX-License-Identifier: Apache-2.0
"""Create app instances, storage instances and volumes from a request's body.

Everything is checked before the first file is created.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Container, Sequence

from datera_emulator.api.routing import Call
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, NotFound, RequestInvalid, ValidationFailed
from datera_emulator.rules.acl import referenced_groups, referenced_initiators
from datera_emulator.rules.credentials import checked_auth
from datera_emulator.rules.lookup import app_instance_at, name_at, snapshot_at, volume_at
from datera_emulator.rules.snapshot_policies import checked_policies
from datera_emulator.rules.templates import storage_wishes, template_named
from datera_emulator.state.model import NO_UUID, AppInstance, Snapshot, StorageInstance, Volume

_IQN_PREFIX = "iqn.2013-05.com.daterainc:tc:01:sn:"
# A volume to copy: its location, and the point in time if it is not now.
_Source = tuple[StorageInstance, Volume, "Snapshot | None"]


def check_app_instance_room(call: Call) -> None:
    """Refuse a new app instance beyond the limits.

    :raises RequestInvalid: limit reached.
    :raises Conflict: the name, or the UUID of its volume, is taken.
    """
    cluster, wish = call.cluster, call.body
    if len(cluster.app_instances) >= cluster.switches.limits.app_instances:
        raise RequestInvalid(
            f"The cluster holds {len(cluster.app_instances)} app instances, its limit"
        )
    if cluster.app_instance_holding(call.tenant, wish["name"]) is not None:
        raise Conflict(f"App instance {wish['name']} exists already in tenant {call.tenant}")
    wanted = _own_uuid(wish)
    if cluster.index.uuid_taken(wanted):
        raise Conflict(f"UUID {wanted} is in use already")


def check_volume_room(call: Call, count: int, storage: StorageInstance | None = None) -> None:
    """Refuse new volumes beyond the limits.

    :raises RequestInvalid: the cluster or the storage instance is full.
    """
    limits = call.cluster.switches.limits
    if count and call.cluster.index.volumes + count > limits.volumes:
        raise RequestInvalid(f"The cluster holds no more than {limits.volumes} volumes")
    present = len(storage.volumes) if storage else 0
    if present + count > limits.volumes_per_storage_instance:
        raise RequestInvalid("The storage instance holds no more volumes")


def check_storage_room(call: Call, count: int, present: int = 0) -> None:
    """Refuse new storage instances beyond the limits.

    :raises RequestInvalid: the cluster or the app instance is full.
    """
    limits = call.cluster.switches.limits
    if count and call.cluster.index.storage_instances + count > limits.storage_instances:
        raise RequestInvalid(f"The cluster holds no more than {limits.storage_instances} targets")
    if present + count > limits.storage_instances_per_app_instance:
        raise RequestInvalid("An app instance holds no more storage instances")


def new_app_instance(call: Call) -> AppInstance:
    """Return a new app instance with the requested storage.

    :raises ApiError: part of the request is not possible; nothing was created.
    """
    wish = call.body
    template = template_named(call, wish)
    storages = wish.get("storage_instances", [])
    if template is not None:
        storages = storage_wishes(template, wish.get("template_override", {}))
    elif "template_override" in wish:
        raise ValidationFailed("template_override: there is no app_template to override")
    check_storage_room(call, len(storages))
    _check_distinct("storage instance", storages)
    check_volume_room(call, sum(len(one.get("volumes", [])) for one in storages))
    for one in storages:
        check_storage_instance(call, one)
    instance = _bare_app_instance(call)
    if template is not None:
        instance.app_template, instance.app_template_tenant = template.name, template.tenant
        instance.snapshot_policies = {**template.snapshot_policies, **instance.snapshot_policies}
    for one in storages:
        mode = wish.get("access_control_mode", "deny_all")
        storage = new_storage_instance(call, {"access_control_mode": mode, **one})
        instance.storage_instances[storage.name] = storage
    _give_uuid(instance)
    return instance


def check_storage_instance(call: Call, wish: Document) -> None:
    """Refuse a storage instance that cannot be created as requested.

    :raises ApiError: with the first reason.
    """
    _check_distinct("volume", wish.get("volumes", []))
    check_volume_room(call, len(wish.get("volumes", [])))
    for one in wish.get("volumes", []):
        check_placement(call, one)
        check_size(call, one["size"])
        checked_policies(one.get("snapshot_policies", []))
    if "auth" in wish:
        checked_auth(wish["auth"])
    ip_pool_named(call, wish)
    referenced_initiators(call, wish.get("acl_policy", {}).get("initiators", []))
    referenced_groups(call, wish.get("acl_policy", {}).get("initiator_groups", []))


def new_storage_instance(call: Call, wish: Document) -> StorageInstance:
    """Return a new storage instance; the request has passed :func:`check_storage_instance`."""
    acl = wish.get("acl_policy", {})
    storage = StorageInstance(
        name=wish["name"],
        uuid=str(uuid.uuid4()),
        iqn=_IQN_PREFIX + secrets.token_hex(8),
        admin_state=wish.get("admin_state", "online"),
        access_control_mode=wish.get("access_control_mode", "deny_all"),
        ip_pool=ip_pool_named(call, wish) or "default",
        initiators=referenced_initiators(call, acl.get("initiators", [])),
        initiator_groups=referenced_groups(call, acl.get("initiator_groups", [])),
        unavailable_reads=call.cluster.switches.storage_unavailable_reads,
    )
    if "auth" in wish:
        storage.auth = checked_auth(wish["auth"])
    for one in wish.get("volumes", []):
        storage.volumes[one["name"]] = new_volume(call, one)
    return storage


def new_volume(call: Call, wish: Document) -> Volume:
    """Return a new volume, its file created.

    :raises OSError: the file could not be created.
    """
    switches = call.cluster.switches
    volume = Volume(
        name=wish["name"],
        uuid=str(uuid.uuid4()),
        file="",
        size=wish["size"],
        replica_count=wish.get("replica_count", switches.default_replica_count),
        placement_mode=wish.get("placement_mode", switches.default_placement_mode),
        placement_policy=check_placement(call, wish) or "default",
        performance_policy=wish.get("performance_policy"),
        snapshot_policies=checked_policies(wish.get("snapshot_policies", [])),
    )
    volume.file = call.cluster.new_file(volume.size_bytes)
    return volume


def cloned_app_instance(call: Call, keys: Sequence[str]) -> AppInstance:
    """Return a new app instance whose volumes start as copies.

    :raises ValidationFailed: there are several sources, or storage is requested in addition.
    :raises NotFound: the source does not exist.
    :raises RequestInvalid: the source is still being created.
    """
    besides = {"storage_instances", "app_template", "template_override"} & call.body.keys()
    if len(keys) > 1 or besides:
        raise ValidationFailed(
            "A clone has one source, and neither template nor storage of its own"
        )
    origin, sources = _sources(call, keys[0], call.body[keys[0]]["path"])
    if origin.cloning_reads:
        raise RequestInvalid(f"{origin.path} is still being cloned itself")
    if origin.create_mode == "normal" and not call.cluster.switches.normal_instances_clonable:
        raise RequestInvalid(f"{origin.path} has create_mode normal and cannot be cloned")
    check_storage_room(call, len({storage.name for storage, _, _ in sources}))
    check_volume_room(call, len(sources))
    instance = _bare_app_instance(call)
    instance.cloning_reads = call.cluster.switches.clone_cloning_reads
    for storage, volume, snapshot in sources:
        copy = instance.storage_instances.get(storage.name)
        if copy is None:
            mode = call.body.get("access_control_mode", storage.access_control_mode)
            wish = {"name": storage.name, "access_control_mode": mode}
            copy = new_storage_instance(call, wish)
            copy.ip_pool = storage.ip_pool
            instance.storage_instances[copy.name] = copy
        copy.volumes[volume.name] = _cloned_volume(call, volume, snapshot)
    _give_uuid(instance)
    return instance


def check_placement(call: Call, wish: Document) -> str | None:
    """Return the name of the placement policy in a request, if it names one.

    :raises NotFound: there is no such policy.
    """
    known = call.cluster.placement_policies
    return _named_in(wish, "placement_policy", "placement_policies", known, "placement policy")


def check_size(call: Call, size: float) -> None:
    """Refuse a volume that is larger than the array's maximum.

    :raises ValidationFailed: ``size``, in GiB, is.
    """
    largest = call.cluster.switches.largest_volume_gib
    if size > largest:
        raise ValidationFailed(f"size: {size} is greater than the maximum of {largest}")


def ip_pool_named(call: Call, wish: Document) -> str | None:
    """Return the name of the IP pool in a request, if it names one.

    :raises NotFound: there is no such pool.
    """
    return _named_in(wish, "ip_pool", "access_network_ip_pools", call.cluster.ip_pools, "IP pool")


def _named_in(
    wish: Document, key: str, collection: str, known: Container[str], what: str
) -> str | None:
    if key not in wish:
        return None
    name = name_at(wish[key]["path"], collection)
    if name not in known:
        raise NotFound(f"No {what} {name}")
    return name


def check_usable(call: Call, snapshot: Snapshot) -> None:
    """Refuse a snapshot that is not available yet.

    :raises RequestInvalid: it is still being created.
    """
    if snapshot.creating_reads and not call.cluster.switches.creating_snapshot_usable:
        raise RequestInvalid(f"Snapshot {snapshot.id} is still being created")


def _sources(call: Call, key: str, path: str) -> tuple[AppInstance, list[_Source]]:
    if key == "clone_src":
        origin = app_instance_at(call, path)
        return origin, [(storage, volume, None) for storage, volume in origin.volumes()]
    if key == "clone_volume_src":
        origin, storage, volume = volume_at(call, path)
        return origin, [(storage, volume, None)]
    origin, frozen = snapshot_at(call, path)
    if "/volumes/" not in path and not call.cluster.switches.instance_snapshots_clonable:
        raise RequestInvalid("Only a volume's snapshot can be cloned")
    for _, _, snapshot in frozen:
        check_usable(call, snapshot)
    return origin, list(frozen)


def _cloned_volume(call: Call, volume: Volume, snapshot: Snapshot | None) -> Volume:
    copy = Volume(
        name=volume.name,
        uuid=str(uuid.uuid4()),
        file="",
        size=snapshot.size if snapshot else volume.size,
        replica_count=volume.replica_count,
        placement_mode=volume.placement_mode,
        placement_policy=volume.placement_policy,
    )
    copy.file = call.cluster.copied_file(
        snapshot.file if snapshot else volume.file, copy.size_bytes
    )
    return copy


def _bare_app_instance(call: Call) -> AppInstance:
    wish = call.body
    return AppInstance(
        id=str(uuid.uuid4()),
        tenant=call.tenant,
        name=wish["name"],
        uuid=_own_uuid(wish),
        created_ns=call.cluster.clock_ns(),
        descr=wish.get("descr") or "",
        create_mode=wish.get("create_mode", "normal"),
        snapshot_policies=checked_policies(wish.get("snapshot_policies", [])),
    )


def _own_uuid(wish: Document) -> str:
    return str(wish.get("uuid", NO_UUID)) if wish.get("create_mode") == "openstack" else NO_UUID


def _give_uuid(instance: AppInstance) -> None:
    # OpenStack names volumes by their UUID: the first volume takes the app instance's.
    for _, volume in instance.volumes():
        if instance.uuid != NO_UUID:
            volume.uuid = instance.uuid
        return


def _check_distinct(what: str, wishes: Sequence[Document]) -> None:
    names = [one["name"] for one in wishes]
    if len(set(names)) != len(names):
        raise ValidationFailed(f"Two {what}s have one name")
