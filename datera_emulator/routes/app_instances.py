# SPDX-License-Identifier: Apache-2.0
"""App instances: create, clone, find, switch on and off, delete."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import FORCE_ONLY, app_instance_create, app_instance_update
from datera_emulator.documents import Document
from datera_emulator.errors import Conflict, RequestInvalid
from datera_emulator.rules.building import (
    check_app_instance_room,
    cloned_app_instance,
    new_app_instance,
)
from datera_emulator.rules.changing import check_idle, storage_changes
from datera_emulator.rules.lookup import app_instance_of, snapshot_in
from datera_emulator.rules.passing import pass_time
from datera_emulator.rules.restoring import restore
from datera_emulator.rules.snapshot_policies import checked_policies
from datera_emulator.state.model import AppInstance

ROUTES = Router()

_COLLECTION = "/app_instances"
_ONE = "/app_instances/:id"


@ROUTES.route("GET", _COLLECTION, entity="app_instance")
def list_all(call: Call) -> Result:
    """List the tenant's app instances."""
    return Listing(
        call.cluster.app_instances_of(call.tenant),
        show=lambda one: _shown(call, one),
        identity=lambda one: one.id,
        read=pass_time,
    )


@ROUTES.route("POST", _COLLECTION, entity="app_instance", body=app_instance_create)
def create(call: Call) -> Result:
    """Create an app instance, empty, with storage, or as a clone."""
    check_app_instance_room(call)
    sources = [key for key in call.body if key.startswith("clone_")]
    instance = cloned_app_instance(call, sources) if sources else new_app_instance(call)
    call.cluster.save(instance)
    return _shown(call, instance)


@ROUTES.route("GET", _ONE, entity="app_instance")
def show(call: Call) -> Result:
    """Show one app instance."""
    instance = app_instance_of(call)
    shown = _shown(call, instance)
    pass_time(instance)
    return shown


@ROUTES.route("PUT", _ONE, entity="app_instance", body=app_instance_update)
def update(call: Call) -> Result:
    """Rename, describe, switch on or off, restore, or change the storage inside."""
    instance = app_instance_of(call)
    wish = call.body
    state = wish.get("admin_state", instance.admin_state)
    _check_name(call, instance)
    if state == "offline":
        _check_offline(call, instance)
    policies = instance.snapshot_policies
    if "snapshot_policies" in wish:
        policies = checked_policies(wish["snapshot_policies"])
    changes = []
    if "storage_instances" in wish:
        changes = storage_changes(
            call, instance, wish["storage_instances"], parent_online=state == "online"
        )
    if "restore_point" in wish:
        if state != "offline" and not call.cluster.switches.online_restore:
            raise RequestInvalid(f"{instance.path} must be offline to be restored")
        snapshot_in(instance.snapshots, wish["restore_point"])
        volumes = [volume for _, volume in instance.volumes()]
        restore(call, instance, volumes, wish["restore_point"])
    call.cluster.save(instance)
    for change in changes:
        change()
    instance.snapshot_policies = policies
    if "name" in wish:
        instance.name = wish["name"]
    if "descr" in wish:
        instance.descr = wish["descr"] or ""
    if state != instance.admin_state:
        _switch(call, instance, state)
    call.cluster.save(instance)
    return _shown(call, instance)


@ROUTES.route("DELETE", _ONE, entity="app_instance", body=FORCE_ONLY)
def delete(call: Call) -> Result:
    """Delete an app instance with its volumes and their snapshots."""
    instance = app_instance_of(call)
    allowed = {
        "refuse": instance.admin_state == "offline",
        "force": instance.admin_state == "offline" or bool(call.body.get("force")),
        "allow": True,
    }
    if not allowed[call.cluster.switches.online_delete]:
        raise RequestInvalid(f"{instance.path} is online; it must be offline to be deleted")
    kept = any(volume.snapshots for _, volume in instance.volumes())
    if kept and call.cluster.switches.snapshots_prevent_delete:
        raise RequestInvalid(f"{instance.path} has snapshots")
    shown = _shown(call, instance)
    call.cluster.forget(instance)
    return shown


def _shown(call: Call, instance: AppInstance) -> Document:
    return render.app_instance(call.cluster, call.dialect, instance)


def _check_name(call: Call, instance: AppInstance) -> None:
    name = call.body.get("name", instance.name)
    holder = call.cluster.app_instance_holding(call.tenant, name)
    if holder not in (None, instance):
        raise Conflict(f"App instance {name} exists already in tenant {call.tenant}")


def _check_offline(call: Call, instance: AppInstance) -> None:
    for storage in instance.storage_instances.values():
        check_idle(call, storage)


def _switch(call: Call, instance: AppInstance, state: str) -> None:
    instance.admin_state = state
    for storage in instance.storage_instances.values():
        if state == "online":
            storage.unavailable_reads = call.cluster.switches.storage_unavailable_reads
        else:
            call.cluster.drop_sessions(storage)
