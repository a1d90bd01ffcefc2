# SPDX-License-Identifier: Apache-2.0
"""Storage instances: the targets of an app instance."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import FORCE_ONLY, storage_instance_create, storage_instance_update
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, RequestInvalid
from datera_emulator.rules.building import (
    check_storage_instance,
    check_storage_room,
    new_storage_instance,
)
from datera_emulator.rules.changing import remove_storage, storage_change
from datera_emulator.rules.lookup import app_instance_of, storage_instance_of
from datera_emulator.rules.passing import pass_time
from datera_emulator.state.model import AppInstance, StorageInstance

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
            read=lambda one: pass_time(instance) if one is first else None,
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
    pass_time(instance)
    return shown


@ROUTES.route("PUT", _ONE, entity="storage_instance", body=storage_instance_update)
def update(call: Call) -> Result:
    """Change who may log in, from where, and whether anybody may."""
    instance, storage = storage_instance_of(call)
    online = instance.admin_state == "online"
    change = storage_change(call, instance, storage, call.body, parent_online=online)
    call.cluster.save(instance)
    change()
    call.cluster.save(instance)
    return _shown(call, instance, storage)


@ROUTES.route("DELETE", _ONE, entity="storage_instance", body=FORCE_ONLY)
def delete(call: Call) -> Result:
    """Delete a storage instance with its volumes."""
    instance, storage = storage_instance_of(call)
    if "online" == instance.admin_state == storage.admin_state:
        raise RequestInvalid(f"Storage instance {storage.name} is online")
    shown = _shown(call, instance, storage)
    remove_storage(call, instance, storage.name)
    call.cluster.save(instance)
    return shown


def _shown(call: Call, instance: AppInstance, storage: StorageInstance) -> Document:
    return render.storage_instance(call.cluster, call.dialect, instance, storage)
