# SPDX-License-Identifier: Apache-2.0
"""Volumes: create, grow, restore, delete."""

from __future__ import annotations

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import volume_create, volume_update
from datera_emulator.errors import Conflict, RequestInvalid
from datera_emulator.rules.building import check_size, check_volume_room, new_volume
from datera_emulator.rules.changing import volume_change
from datera_emulator.rules.lookup import Place, storage_instance_of, volume_of
from datera_emulator.rules.passing import pass_time
from datera_emulator.rules.restoring import restore

ROUTES = Router()

_COLLECTION = "/app_instances/:id/storage_instances/:storage_instance_name/volumes"
_ONE = f"{_COLLECTION}/:volume_name"


@ROUTES.route("GET", _COLLECTION, entity="volume")
def list_all(call: Call) -> Result:
    """List a storage instance's volumes."""
    instance, storage = storage_instance_of(call)
    volumes = list(storage.volumes.values())
    return Listing(
        volumes,
        lambda one: render.volume(call.cluster, call.dialect, instance, storage, one),
        identity=lambda one: one.name,
        # One list is one read, however many are on it.
        read=lambda one: pass_time(instance) if one is volumes[0] else None,
    )


@ROUTES.route("POST", _COLLECTION, entity="volume", body=volume_create)
def create(call: Call) -> Result:
    """Add a volume, behind the next LUN."""
    instance, storage = storage_instance_of(call)
    if call.body["name"] in storage.volumes:
        raise Conflict(f"Volume {call.body['name']} exists already in {storage.name}")
    check_volume_room(call, 1, storage)
    check_size(call, call.body["size"])
    volume = new_volume(call, call.body)
    storage.volumes[volume.name] = volume
    call.cluster.save(instance)
    return _shown(call, (instance, storage, volume))


@ROUTES.route("GET", _ONE, entity="volume")
def show(call: Call) -> Result:
    """Show one volume."""
    place = volume_of(call)
    shown = _shown(call, place)
    pass_time(place[0])
    return shown


@ROUTES.route("PUT", _ONE, entity="volume", body=volume_update)
def update(call: Call) -> Result:
    """Grow a volume, change where its replicas lie, or put it back to a snapshot."""
    place = volume_of(call)
    instance, storage, volume = place
    wish = call.body
    online = "online" == instance.admin_state == storage.admin_state
    change = volume_change(call, place, wish, online=online)
    if "restore_point" in wish:
        if wish.get("size", volume.size) != volume.size:
            raise RequestInvalid("A volume is not restored and resized in one request")
        if online and not call.cluster.switches.online_restore:
            raise RequestInvalid(f"{instance.path} must be offline to be restored")
        restore(call, instance, [volume], wish["restore_point"])
    call.cluster.save(instance)
    change()
    call.cluster.save(instance)
    return _shown(call, place)


@ROUTES.route("DELETE", _ONE, entity="volume")
def delete(call: Call) -> Result:
    """Delete a volume with its snapshots."""
    place = volume_of(call)
    instance, storage, volume = place
    if "online" == instance.admin_state == storage.admin_state:
        raise RequestInvalid(f"Volume {volume.name} is online")
    shown = _shown(call, place)
    call.cluster.doom(volume)
    del storage.volumes[volume.name]
    call.cluster.save(instance)
    return shown


def _shown(call: Call, place: Place) -> Result:
    return render.volume(call.cluster, call.dialect, *place)
