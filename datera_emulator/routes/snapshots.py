# SPDX-License-Identifier: Apache-2.0
"""Snapshots, of a volume and of all volumes of an app instance."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from datera_emulator.api import render
from datera_emulator.api.routing import Call, Listing, Result, Router
from datera_emulator.api.schemas import SNAPSHOT_CREATE
from datera_emulator.documents import Document
from datera_emulator.errors import RequestInvalid, SnapshotExists
from datera_emulator.rules.lookup import app_instance_of, snapshot_in, volume_of
from datera_emulator.rules.passing import settle
from datera_emulator.state.model import AppInstance, Snapshot, Volume

ROUTES = Router()

_OF_VOLUME = (
    "/app_instances/:id/storage_instances/:storage_instance_name/volumes/:volume_name/snapshots"
)
_OF_INSTANCE = "/app_instances/:id/snapshots"
_NANO = 1_000_000_000


@ROUTES.route("GET", _OF_VOLUME, entity="snapshot")
def list_of_volume(call: Call) -> Result:
    """List a volume's snapshots."""
    place = volume_of(call)
    return _listing(place[0], render.volume_path(*place), place[2].snapshots)


@ROUTES.route("POST", _OF_VOLUME, entity="snapshot", body=SNAPSHOT_CREATE)
def create_of_volume(call: Call) -> Result:
    """Keep a volume as it is now."""
    place = volume_of(call)
    instance, _, volume = place
    _check_room(call, instance, [volume], volume.snapshots)
    identity = _fresh_id(call, volume.snapshots)
    snapshot = _taken(call, volume, identity, call.body.get("uuid"))
    volume.snapshots[identity] = snapshot
    call.cluster.save(instance)
    return render.snapshot(render.volume_path(*place), snapshot)


@ROUTES.route("GET", f"{_OF_VOLUME}/:timestamp", entity="snapshot")
def show_of_volume(call: Call) -> Result:
    """Show one snapshot."""
    place = volume_of(call)
    return _shown(call, place[0], render.volume_path(*place), place[2].snapshots)


@ROUTES.route("DELETE", f"{_OF_VOLUME}/:timestamp", entity="snapshot")
def delete_of_volume(call: Call) -> Result:
    """Delete a snapshot; clones of it are their own."""
    place = volume_of(call)
    snapshot = snapshot_in(place[2].snapshots, call.arguments["timestamp"])
    call.cluster.doom_file(snapshot.file)
    del place[2].snapshots[snapshot.id]
    call.cluster.save(place[0])
    return render.snapshot(render.volume_path(*place), snapshot)


@ROUTES.route("GET", _OF_INSTANCE, entity="snapshot")
def list_of_instance(call: Call) -> Result:
    """List an app instance's snapshots."""
    instance = app_instance_of(call)
    return _listing(instance, instance.path, instance.snapshots)


@ROUTES.route("POST", _OF_INSTANCE, entity="snapshot", body=SNAPSHOT_CREATE)
def create_of_instance(call: Call) -> Result:
    """Keep all volumes as they are now, under one id."""
    instance = app_instance_of(call)
    volumes = [volume for _, volume in instance.volumes()]
    _check_room(call, instance, volumes, instance.snapshots)
    taken = {key for volume in volumes for key in volume.snapshots}
    identity = _fresh_id(call, taken | set(instance.snapshots))
    inner = [_taken(call, volume, identity, None) for volume in volumes]
    for volume, snapshot in zip(volumes, inner, strict=True):
        volume.snapshots[identity] = snapshot
    whole = Snapshot(
        id=identity,
        uuid=call.body.get("uuid") or str(uuid.uuid4()),
        file="",
        size=0,
        creating_reads=call.cluster.switches.snapshot_creating_reads,
    )
    instance.snapshots[identity] = whole
    call.cluster.save(instance)
    return render.snapshot(instance.path, whole)


@ROUTES.route("GET", f"{_OF_INSTANCE}/:timestamp", entity="snapshot")
def show_of_instance(call: Call) -> Result:
    """Show one snapshot of all volumes."""
    instance = app_instance_of(call)
    return _shown(call, instance, instance.path, instance.snapshots)


@ROUTES.route("DELETE", f"{_OF_INSTANCE}/:timestamp", entity="snapshot")
def delete_of_instance(call: Call) -> Result:
    """Delete a snapshot of all volumes."""
    instance = app_instance_of(call)
    whole = snapshot_in(instance.snapshots, call.arguments["timestamp"])
    for _, volume in instance.volumes():
        inner = volume.snapshots.pop(whole.id, None)
        if inner is not None:
            call.cluster.doom_file(inner.file)
    del instance.snapshots[whole.id]
    call.cluster.save(instance)
    return render.snapshot(instance.path, whole)


def _check_room(
    call: Call, instance: AppInstance, volumes: list[Volume], siblings: dict[str, Snapshot]
) -> None:
    limits = call.cluster.switches.limits
    if instance.cloning_reads:
        raise RequestInvalid(f"{instance.path} is still being cloned")
    if any(len(volume.snapshots) >= limits.snapshots_per_volume for volume in volumes):
        raise RequestInvalid(f"A volume holds no more than {limits.snapshots_per_volume} snapshots")
    if call.cluster.index.snapshots + len(volumes) > limits.snapshots:
        raise RequestInvalid(f"The cluster holds no more than {limits.snapshots} snapshots")
    wanted = call.body.get("uuid")
    if wanted and any(snapshot.uuid == wanted for snapshot in siblings.values()):
        raise SnapshotExists(f"A snapshot with uuid {wanted} exists already")


def _fresh_id(call: Call, taken: dict[str, Snapshot] | set[str]) -> str:
    now = call.cluster.clock_ns()
    while (identity := f"{now // _NANO}.{now % _NANO}") in taken:
        now += 1
    return identity


def _taken(call: Call, volume: Volume, identity: str, wanted: str | None) -> Snapshot:
    return Snapshot(
        id=identity,
        uuid=wanted or str(uuid.uuid4()),
        file=call.cluster.copied_file(volume.file, volume.size_bytes),
        size=volume.size,
        creating_reads=call.cluster.switches.snapshot_creating_reads,
    )


def _listing(instance: AppInstance, parent: str, snapshots: dict[str, Snapshot]) -> Listing:
    show: Callable[[Snapshot], Document] = lambda one: render.snapshot(parent, one)  # noqa: E731
    return Listing(list(snapshots.values()), show, identity=lambda one: one.id, read=settle)


def _shown(
    call: Call, instance: AppInstance, parent: str, snapshots: dict[str, Snapshot]
) -> Result:
    snapshot = snapshot_in(snapshots, call.arguments["timestamp"])
    shown = render.snapshot(parent, snapshot)
    settle(snapshot)
    return shown
