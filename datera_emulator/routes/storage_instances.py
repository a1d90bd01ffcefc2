# SPDX-License-Identifier: Apache-2.0
"""Storage instances: the targets of an app instance."""

from __future__ import annotations

from datera_emulator import render
from datera_emulator.acl import referenced_groups, referenced_initiators
from datera_emulator.admission import acl_changed
from datera_emulator.building import (
    check_storage_instance,
    check_storage_room,
    ip_pool_named,
    new_storage_instance,
)
from datera_emulator.credentials import checked_auth
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, RequestInvalid
from datera_emulator.lookup import app_instance_of, storage_instance_of
from datera_emulator.model import AppInstance, StorageInstance
from datera_emulator.routing import Call, Listing, Result, Router
from datera_emulator.schemas import FORCE_ONLY, STORAGE_INSTANCE_UPDATE, storage_instance_create

ROUTES = Router()

_COLLECTION = "/app_instances/:id/storage_instances"
_ONE = f"{_COLLECTION}/:storage_instance_name"


@ROUTES.route("GET", _COLLECTION, entity="storage_instance")
def list_all(call: Call) -> Result:
    """List an app instance's storage instances."""
    instance = app_instance_of(call)
    items = list(instance.storage_instances.values())
    listing = Listing(items, lambda one: _shown(call, instance, one), identity=lambda one: one.name)
    if items:
        # One list is one read, however many are on it.
        first = items[0]
        return Listing(
            items,
            listing.show,
            listing.identity,
            read=lambda one: render.pass_time(instance) if one is first else None,
        )
    return listing


@ROUTES.route("POST", _COLLECTION, entity="storage_instance", body=storage_instance_create)
def create(call: Call) -> Result:
    """Add a storage instance."""
    instance = app_instance_of(call)
    if call.body["name"] in instance.storage_instances:
        raise Conflict(f"Storage instance {call.body['name']} exists already in {instance.path}")
    check_storage_room(call, 1, len(instance.storage_instances))
    check_storage_instance(call, call.body)
    storage = new_storage_instance(call, call.body)
    instance.storage_instances[storage.name] = storage
    call.cluster.save(instance)
    return _shown(call, instance, storage)


@ROUTES.route("GET", _ONE, entity="storage_instance")
def show(call: Call) -> Result:
    """Show one storage instance."""
    instance, storage = storage_instance_of(call)
    shown = _shown(call, instance, storage)
    render.pass_time(instance)
    return shown


@ROUTES.route("PUT", _ONE, entity="storage_instance", body=STORAGE_INSTANCE_UPDATE)
def update(call: Call) -> Result:
    """Change who may log in, from where, and whether anybody may."""
    instance, storage = storage_instance_of(call)
    wish = call.body
    pool = ip_pool_named(call, wish)
    state = wish.get("admin_state", storage.admin_state)
    if pool not in (None, storage.ip_pool) and "online" == instance.admin_state == state:
        raise RequestInvalid("The IP pool of a storage instance changes only while it is offline")
    bound = instance.app_template and not call.cluster.switches.bound_ip_pool_changes
    if pool not in (None, storage.ip_pool) and bound:
        raise RequestInvalid("The IP pool comes from the template that this is bound to")
    narrowed = wish.get("access_control_mode", storage.access_control_mode)
    if storage.access_control_mode == "deny_all" and narrowed == "allow_all":
        raise RequestInvalid("access_control_mode goes from allow_all to deny_all only")
    if state == "offline":
        check_idle(call, storage)
    auth = checked_auth(wish["auth"], storage.auth) if "auth" in wish else storage.auth
    acl = wish.get("acl_policy", {})
    initiators = groups = None
    if "initiators" in acl:
        initiators = referenced_initiators(call, acl["initiators"])
    if "initiator_groups" in acl:
        groups = referenced_groups(call, acl["initiator_groups"])
    storage.auth = auth
    storage.access_control_mode = narrowed
    storage.ip_pool = pool or storage.ip_pool
    storage.initiators = storage.initiators if initiators is None else initiators
    storage.initiator_groups = storage.initiator_groups if groups is None else groups
    if state != storage.admin_state:
        storage.admin_state = state
        storage.unavailable_reads = call.cluster.switches.storage_unavailable_reads
        if state == "offline":
            call.cluster.drop_sessions(storage)
    if wish.keys() & {"acl_policy", "access_control_mode"}:
        acl_changed(call.cluster, instance, storage)
    call.cluster.save(instance)
    return _shown(call, instance, storage)


@ROUTES.route("DELETE", _ONE, entity="storage_instance", body=FORCE_ONLY)
def delete(call: Call) -> Result:
    """Delete a storage instance with its volumes."""
    instance, storage = storage_instance_of(call)
    if "online" == instance.admin_state == storage.admin_state:
        raise RequestInvalid(f"Storage instance {storage.name} is online")
    shown = _shown(call, instance, storage)
    call.cluster.drop_sessions(storage)
    for volume in storage.volumes.values():
        call.cluster.doom(volume)
    del instance.storage_instances[storage.name]
    call.cluster.save(instance)
    return shown


def check_idle(call: Call, storage: StorageInstance) -> None:
    """Refuse to take offline what hosts are logged in to, unless the body says force.

    :raises RequestInvalid: there are sessions, no force, and the switches want it.
    """
    needs_force = call.cluster.switches.offline_needs_force_with_sessions
    if needs_force and not call.body.get("force") and call.cluster.sessions.of(storage.iqn):
        raise RequestInvalid(
            f"Storage instance {storage.name} has active initiators; "
            "use force to override this warning"
        )


def _shown(call: Call, instance: AppInstance, storage: StorageInstance) -> Document:
    return render.storage_instance(call.cluster, call.dialect, instance, storage)
