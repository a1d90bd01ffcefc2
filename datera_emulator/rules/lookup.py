# SPDX-License-Identifier: Apache-2.0
"""Find the object of a request's path or of a reference in its body."""

from __future__ import annotations

from urllib.parse import unquote

from datera_emulator.api.routing import Call
from datera_emulator.errors import NotFound
from datera_emulator.state.model import AppInstance, Snapshot, StorageInstance, Volume

Place = tuple[AppInstance, StorageInstance, Volume]
# A volume as one of its snapshots has it, with the storage instance that it belongs to.
Frozen = tuple[StorageInstance, Volume, Snapshot]


def app_instance_of(call: Call) -> AppInstance:
    """Return the app instance in the call's path.

    :raises NotFound: the tenant has none of this name or id.
    """
    return call.cluster.app_instance(call.tenant, call.arguments["id"])


def storage_instance_of(call: Call) -> tuple[AppInstance, StorageInstance]:
    """Return the storage instance in the call's path.

    :raises NotFound: something on the way is not there.
    """
    instance = app_instance_of(call)
    return instance, storage_instance_in(instance, call.arguments["storage_instance_name"])


def volume_of(call: Call) -> Place:
    """Return the volume in the call's path.

    :raises NotFound: something on the way is not there.
    """
    instance, storage = storage_instance_of(call)
    return instance, storage, volume_in(storage, call.arguments["volume_name"])


def storage_instance_in(instance: AppInstance, name: str) -> StorageInstance:
    """Return an app instance's storage instance.

    :raises NotFound: it has none of this name.
    """
    if name not in instance.storage_instances:
        raise NotFound(f"No storage instance {name} in {instance.path}")
    return instance.storage_instances[name]


def volume_in(storage: StorageInstance, name: str) -> Volume:
    """Return a storage instance's volume.

    :raises NotFound: it has none of this name.
    """
    if name not in storage.volumes:
        raise NotFound(f"No volume {name} in storage instance {storage.name}")
    return storage.volumes[name]


def snapshot_in(snapshots: dict[str, Snapshot], identity: str) -> Snapshot:
    """Return a snapshot by its id.

    :raises NotFound: there is none of this id.
    """
    if identity not in snapshots:
        raise NotFound(f"No snapshot {identity}")
    return snapshots[identity]


def app_instance_at(call: Call, path: str) -> AppInstance:
    """Return the app instance that a reference in a body leads to.

    :raises NotFound: it leads nowhere, or elsewhere.
    """
    (identity,) = _names(path, ("app_instances",))
    return call.cluster.app_instance(call.tenant, identity)


def volume_at(call: Call, path: str) -> Place:
    """Return the volume that a reference in a body leads to.

    :raises NotFound: it leads nowhere, or elsewhere.
    """
    identity, storage_name, name = _names(path, ("app_instances", "storage_instances", "volumes"))
    instance = call.cluster.app_instance(call.tenant, identity)
    storage = storage_instance_in(instance, storage_name)
    return instance, storage, volume_in(storage, name)


def snapshot_at(call: Call, path: str) -> tuple[AppInstance, list[Frozen]]:
    """Return the data of a reference to a snapshot, of a volume or of an app instance.

    :raises NotFound: it leads nowhere, or elsewhere.
    """
    parent, _, identity = path.rpartition("/snapshots/")
    identity = unquote(identity)
    if "/volumes/" in parent:
        instance, storage, volume = volume_at(call, parent)
        return instance, [(storage, volume, snapshot_in(volume.snapshots, identity))]
    instance = app_instance_at(call, parent)
    snapshot_in(instance.snapshots, identity)
    return instance, [
        (storage, volume, volume.snapshots[identity])
        for storage, volume in instance.volumes()
        if identity in volume.snapshots
    ]


def name_at(path: str, collection: str) -> str:
    """Return the name in a reference into a flat collection.

    :raises NotFound: it leads elsewhere.
    """
    (name,) = _names(path, (collection,))
    return name


def _names(path: str, collections: tuple[str, ...]) -> list[str]:
    segments = [unquote(part) for part in path.split("/") if part]
    if tuple(segments[::2]) != collections or len(segments) != 2 * len(collections):
        raise NotFound(f"No {collections[-1]} at {path}")
    return segments[1::2]
