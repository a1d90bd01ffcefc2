# SPDX-License-Identifier: Apache-2.0
"""Changes of storage instances and volumes: checked first, applied once all checks have passed.

Each function returns the change as a callable, so that a request that changes several
objects is refused before the first is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from datera_emulator.api.routing import Call
from datera_emulator.documents import Document
from datera_emulator.errors import RequestInvalid, ValidationFailed
from datera_emulator.rules.acl import referenced_groups, referenced_initiators
from datera_emulator.rules.admission import acl_changed
from datera_emulator.rules.building import (
    check_placement,
    check_size,
    check_storage_instance,
    check_storage_room,
    check_volume_room,
    ip_pool_named,
    new_storage_instance,
    new_volume,
)
from datera_emulator.rules.credentials import checked_auth
from datera_emulator.rules.lookup import Place
from datera_emulator.rules.passing import PLACING, REPLICATING, RESIZING, begin, check_at_rest
from datera_emulator.rules.snapshot_policies import checked_policies
from datera_emulator.state.model import GIB, AppInstance, StorageInstance

Change = Callable[[], None]


def check_idle(call: Call, storage: StorageInstance) -> None:
    """Refuse to take a target with sessions offline, unless the body has ``force``.

    :raises RequestInvalid: there are sessions, no force, and the switches require it.
    """
    needs_force = call.cluster.switches.offline_needs_force_with_sessions
    if needs_force and not call.body.get("force") and call.cluster.sessions.of(storage.iqn):
        raise RequestInvalid(
            f"Storage instance {storage.name} has active initiators; "
            "use force to override this warning"
        )


def volume_change(call: Call, place: Place, wish: Document, *, online: bool) -> Change:
    """Return the change of a volume's size, replicas, placement and policies.

    :param online: whether the volume will be online.
    :raises ApiError: the change is not possible.
    """
    instance, _, volume = place
    size = wish.get("size", volume.size)
    replicas = wish.get("replica_count", volume.replica_count)
    policy = check_placement(call, wish)
    snapshot_policies = volume.snapshot_policies
    if "snapshot_policies" in wish:
        snapshot_policies = checked_policies(wish["snapshot_policies"])
    check_size(call, size)
    mode = wish.get("placement_mode", volume.placement_mode)
    begun = {
        RESIZING: size != volume.size,
        REPLICATING: replicas != volume.replica_count,
        PLACING: mode != volume.placement_mode or policy not in (None, volume.placement_policy),
    }
    if any(begun.values()):
        check_at_rest(call, volume)
    if size < volume.size and not call.cluster.switches.shrink:
        raise RequestInvalid(f"A volume only grows: {volume.size} GiB cannot become {size}")
    if replicas < volume.replica_count:
        raise RequestInvalid("The number of replicas only grows")
    if replicas > volume.replica_count and online:
        raise RequestInvalid("The number of replicas changes only while offline")
    if size > volume.size:
        _check_growth(call, instance, online)

    def make() -> None:
        if size != volume.size:
            call.cluster.files.resize(volume.file, int(size * GIB))
            volume.size = size
        volume.replica_count = replicas
        volume.placement_mode = mode
        volume.placement_policy = policy or volume.placement_policy
        volume.performance_policy = wish.get("performance_policy", volume.performance_policy)
        volume.snapshot_policies = snapshot_policies
        for operation in (operation for operation, begins in begun.items() if begins):
            begin(call, volume, operation)

    return make


def storage_change(
    call: Call,
    instance: AppInstance,
    storage: StorageInstance,
    wish: Document,
    *,
    parent_online: bool,
) -> Change:
    """Return the change of a storage instance: CHAP, access, IP pool, state and volumes.

    :param parent_online: whether the app instance will be online.
    :raises ApiError: the change is not possible.
    """
    cluster = call.cluster
    pool = ip_pool_named(call, wish)
    state = wish.get("admin_state", storage.admin_state)
    online = parent_online and state == "online"
    if pool not in (None, storage.ip_pool):
        if online:
            raise RequestInvalid("An IP pool changes only while its storage instance is offline")
        if instance.app_template and not cluster.switches.bound_ip_pool_changes:
            raise RequestInvalid("The IP pool comes from the template that this is bound to")
    mode = wish.get("access_control_mode", storage.access_control_mode)
    if storage.access_control_mode == "deny_all" and mode == "allow_all":
        raise RequestInvalid("access_control_mode goes from allow_all to deny_all only")
    if state == "offline":
        check_idle(call, storage)
    auth = checked_auth(wish["auth"], storage.auth) if "auth" in wish else storage.auth
    acl = wish.get("acl_policy", {})
    initiators, groups = storage.initiators, storage.initiator_groups
    if "initiators" in acl:
        initiators = referenced_initiators(call, acl["initiators"])
    if "initiator_groups" in acl:
        groups = referenced_groups(call, acl["initiator_groups"])
    volumes = _volume_changes(call, instance, storage, wish, online=online)

    def make() -> None:
        storage.auth = auth
        storage.access_control_mode = mode
        storage.ip_pool = pool or storage.ip_pool
        storage.initiators, storage.initiator_groups = initiators, groups
        if state != storage.admin_state:
            storage.admin_state = state
            storage.unavailable_reads = cluster.switches.storage_unavailable_reads
            if state == "offline":
                cluster.drop_sessions(storage)
        if wish.keys() & {"acl_policy", "access_control_mode"}:
            acl_changed(cluster, instance, storage)
        for change in volumes:
            change()

    return make


def storage_changes(
    call: Call, instance: AppInstance, wishes: Sequence[Document], *, parent_online: bool
) -> list[Change]:
    """Return the changes that an app instance's ``storage_instances`` ask for.

    :raises ApiError: one is not possible.
    """
    _check_members(call, "storage instance", instance.storage_instances.keys(), wishes)
    new = [wish for wish in wishes if wish["name"] not in instance.storage_instances]
    check_storage_room(call, len(new), len(instance.storage_instances))
    changes: list[Change] = []
    for wish in wishes:
        if wish in new:
            check_storage_instance(call, wish)
            changes.append(partial(_add_storage, call, instance, wish))
        else:
            storage = instance.storage_instances[wish["name"]]
            changes.append(
                storage_change(call, instance, storage, wish, parent_online=parent_online)
            )
    if call.cluster.switches.nested_members == "remove":
        for name in instance.storage_instances.keys() - {wish["name"] for wish in wishes}:
            changes.append(partial(remove_storage, call, instance, name))
    return changes


def remove_storage(call: Call, instance: AppInstance, name: str) -> None:
    """Remove a storage instance with its volumes."""
    storage = instance.storage_instances.pop(name)
    call.cluster.drop_sessions(storage)
    for volume in storage.volumes.values():
        call.cluster.doom(volume)


def _volume_changes(
    call: Call, instance: AppInstance, storage: StorageInstance, wish: Document, *, online: bool
) -> list[Change]:
    if "volumes" not in wish:
        return []
    wishes = wish["volumes"]
    _check_members(call, "volume", storage.volumes.keys(), wishes)
    new = [one for one in wishes if one["name"] not in storage.volumes]
    check_volume_room(call, len(new), storage)
    changes: list[Change] = []
    for one in wishes:
        if one in new:
            check_placement(call, one)
            check_size(call, one["size"])
            checked_policies(one.get("snapshot_policies", []))
            changes.append(partial(_add_volume, call, storage, one))
        else:
            place = (instance, storage, storage.volumes[one["name"]])
            changes.append(volume_change(call, place, one, online=online))
    if call.cluster.switches.nested_members == "remove":
        for name in storage.volumes.keys() - {one["name"] for one in wishes}:
            changes.append(partial(_remove_volume, call, storage, name))
    return changes


def _add_storage(call: Call, instance: AppInstance, wish: Document) -> None:
    storage = new_storage_instance(call, wish)
    instance.storage_instances[storage.name] = storage


def _add_volume(call: Call, storage: StorageInstance, wish: Document) -> None:
    storage.volumes[wish["name"]] = new_volume(call, wish)


def _remove_volume(call: Call, storage: StorageInstance, name: str) -> None:
    call.cluster.doom(storage.volumes.pop(name))


def _check_growth(call: Call, instance: AppInstance, online: bool) -> None:
    if instance.app_template and not call.dialect.template_override:
        raise RequestInvalid("A volume that is bound to a template of this product has its size")
    allowed = call.cluster.switches.online_resize
    if online and not (call.dialect.online_resize if allowed is None else allowed):
        raise RequestInvalid("A volume of this product grows only while offline")


def _check_members(
    call: Call, what: str, present: Iterable[str], wishes: Sequence[Document]
) -> None:
    names = [wish["name"] for wish in wishes]
    if len(set(names)) != len(names):
        raise ValidationFailed(f"Two {what}s have one name")
    missing = set(present) - set(names)
    if missing and call.cluster.switches.nested_members == "refuse":
        raise RequestInvalid(f"The list lacks {what} {', '.join(sorted(missing))}")
