# SPDX-License-Identifier: Apache-2.0
"""What the driver is asked to do, one operation at a time, and what a cluster holds afterwards."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cinder import objects

from tests.functional.datera_volume.versions.conftest import Array

THEN, NOW = b"then", b"now!"
# What differs from one run to the next: ids, CHAP's derived names and the managed one's.
_RUN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|cinder-[A-Za-z0-9._]{12}|legacy\d+"
)


@dataclass
class Scene:
    """Records, what to do with them, and what must come of their data.

    :param act: the operation.
    :param keeps: by volume: contents of which one must be there, however the operation ends.
    :param makes: by volume: the contents that must be there once it has succeeded.
    :param others: further names that app instances may have.
    :param ends: whether deleting the records afterwards leaves nothing.
    :param resumes: whether a failure may leave it half-way, for Cinder does it again or the like.
    :param switches: whether it may leave a volume without initiators either online or offline.
    """

    act: Callable[[], Any]
    volumes: list[Any]
    snapshots: list[Any] = field(default_factory=list)
    keeps: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    makes: dict[str, bytes] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    ends: bool = True
    resumes: bool = False
    switches: bool = False

    @property
    def named(self) -> list[str]:
        """The ids and names that app instances may carry."""
        records = [*self.volumes, *self.snapshots]
        return [*(record.id for record in records), *self.others]


class Stage:
    """One cluster with what the operations need: types, a pool, a placement policy."""

    def __init__(self, array: Array) -> None:
        self.array = array
        self.driver = array.driver
        self.context = array.service.context
        network = {"name": "np", "start_ip": "10.0.0.1", "range": 6, "netmask": 24}
        array.ask("/access_network_ip_pools", name="pool2", network_paths=[network])
        placement = {"placement_mode": "all_flash"}
        if array.recent:
            array.ask("/placement_policies", name="pp2")
            placement = {"placement_policy": "pp2"}
        self.silver = array.volume_type(
            total_iops_max="1000", iops_per_gb="10", replica_count="2", ip_pool="default"
        )
        self.gold = array.volume_type(
            read_iops_max="55", replica_count="3", ip_pool="pool2", **placement
        )

    def volume(self, contents: bytes = THEN) -> Any:
        """A volume of 1 GiB that was made, with these contents."""
        made = self.array.volume(1, self.silver)
        self.write(made, contents)
        return made

    def attached(self, *hosts: str) -> Any:
        """A volume with these hosts in its ACL."""
        volume = self.volume()
        for host in hosts:
            self.driver.initialize_connection(volume, connector(host))
        return volume

    def unmade(self, size: int = 3) -> Any:
        """The record of a volume of another type, which was not made."""
        return self.array.record(size, self.gold)

    def write(self, volume: Any, contents: bytes) -> None:
        """Write to the beginning of a volume."""
        stored = self.array.stored(volume)[2]
        with self.array.emulator.cluster.files.path(stored.file).open("r+b") as file:
            file.write(contents)

    def contents(self) -> dict[str, bytes]:
        """The beginnings of all volumes, by the id that ends the app instance's name."""
        files = self.array.emulator.cluster.files
        found = {}
        for instance in self.array.emulator.cluster.app_instances.values():
            for _, volume in instance.volumes():
                with files.path(volume.file).open("rb") as file:
                    found[instance.name[-36:]] = file.read(4)
        return found

    def holds(self, scene: Scene) -> list[str]:
        """All that the cluster holds, the same for the same state in each run."""
        found = []
        for instance in self.array.emulator.cluster.app_instances.values():
            for storage, volume in instance.volumes():
                limits = volume.performance_policy or {}
                either = scene.switches and not storage.initiators
                one = {
                    "name": instance.name,
                    "state": None if either else instance.admin_state,
                    "descr": instance.descr,
                    "size": volume.size,
                    "replicas": volume.replica_count,
                    "placement": (volume.placement_mode, volume.placement_policy),
                    "limits": {name: most for name, most in limits.items() if most},
                    "pool": storage.ip_pool,
                    "initiators": sorted(storage.initiators),
                    "access": storage.access_control_mode,
                    "auth": (storage.auth.type, storage.auth.target_user_name),
                    "snapshots": len(volume.snapshots),
                }
                found.append(_RUN.sub("ID", json.dumps(one, sort_keys=True)))
        return sorted(found)

    def wipe(self) -> None:
        """Nothing at all."""
        self.array.emulator.faults.clear()
        cluster = self.array.emulator.cluster
        with cluster.transaction():
            for left in list(cluster.app_instances.values()):
                cluster.forget(left)


def connector(host: str) -> dict[str, Any]:
    """What a host says of itself."""
    return {"initiator": f"iqn.1994-05.com.redhat:{host}", "host": host, "multipath": False}


def create(stage: Stage) -> Scene:
    volume = stage.unmade()
    return Scene(lambda: stage.driver.create_volume(volume), [volume])


def clone(stage: Stage) -> Scene:
    source, volume = stage.volume(), stage.unmade()
    return Scene(
        lambda: stage.driver.create_cloned_volume(volume, source),
        [volume, source],
        keeps={source.id: (THEN,)},
        makes={volume.id: THEN},
    )


def copy_of_a_snapshot(stage: Stage) -> Scene:
    source, volume = stage.volume(), stage.unmade()
    snapshot = stage.array.snapshot(source)
    stage.write(source, NOW)
    return Scene(
        lambda: stage.driver.create_volume_from_snapshot(volume, snapshot),
        [volume, source],
        [snapshot],
        keeps={source.id: (NOW,)},
        makes={volume.id: THEN},
    )


def snapshot(stage: Stage) -> Scene:
    source = stage.volume()
    taken = objects.Snapshot(
        stage.context,
        volume_id=source.id,
        volume_size=1,
        project_id=stage.context.project_id,
        user_id=stage.context.user_id,
        status="creating",
    )
    taken.create()
    act = lambda: stage.driver.create_snapshot(taken)  # noqa: E731
    return Scene(act, [source], [taken], keeps={source.id: (THEN,)})


def delete_a_snapshot(stage: Stage) -> Scene:
    source = stage.volume()
    taken = stage.array.snapshot(source)
    act = lambda: stage.driver.delete_snapshot(taken)  # noqa: E731
    return Scene(act, [source], [taken], keeps={source.id: (THEN,)})


def delete(stage: Stage) -> Scene:
    volume = stage.volume()
    return Scene(lambda: stage.driver.delete_volume(volume), [volume])


def attach(stage: Stage) -> Scene:
    volume = stage.volume()
    return _kept(volume, lambda: stage.driver.initialize_connection(volume, connector("one")))


def attach_a_second_host(stage: Stage) -> Scene:
    volume = stage.attached("one")
    return _kept(volume, lambda: stage.driver.initialize_connection(volume, connector("two")))


def detach(stage: Stage) -> Scene:
    volume = stage.attached("one")
    act = lambda: stage.driver.terminate_connection(volume, connector("one"))  # noqa: E731
    return _kept(volume, act, resumes=True)


def detach_one_of_two(stage: Stage) -> Scene:
    volume = stage.attached("one", "two")
    act = lambda: stage.driver.terminate_connection(volume, connector("one"))  # noqa: E731
    return _kept(volume, act, resumes=True)


def detach_all(stage: Stage) -> Scene:
    volume = stage.attached("one", "two")
    act = lambda: stage.driver.terminate_connection(volume, None)  # noqa: E731
    return _kept(volume, act, resumes=True)


def extend(stage: Stage) -> Scene:
    volume = stage.volume()
    # Refused online it is extended offline, and stays so: both are right without initiators.
    act = lambda: stage.driver.extend_volume(volume, 4)  # noqa: E731
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, switches=True)


def retype(stage: Stage) -> Scene:
    volume = stage.volume()
    new_type = {"id": stage.gold.id}
    act = lambda: stage.driver.retype(stage.context, volume, new_type, {}, {})  # noqa: E731
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, switches=True)


def manage(stage: Stage) -> Scene:
    name = f"legacy{time.time_ns()}"
    limits = {"total_iops_max": 7}
    inside = {"name": "data", "size": 1.5, "replica_count": 2, "performance_policy": limits}
    storage = {"name": "disks", "volumes": [inside]}
    stage.array.ask("/app_instances", name=name, storage_instances=[storage])
    volume = stage.array.record(0, stage.silver)
    act = lambda: stage.driver.manage_existing(volume, {"source-name": name})  # noqa: E731
    return Scene(act, [volume], others=(name,), ends=False, switches=True)


def unmanage(stage: Stage) -> Scene:
    volume = stage.volume()
    act = lambda: stage.driver.unmanage(volume)  # noqa: E731
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, ends=False)


def revert(stage: Stage) -> Scene:
    volume = stage.volume()
    taken = stage.array.snapshot(volume)
    stage.write(volume, NOW)
    act = lambda: stage.driver.revert_to_snapshot(stage.context, volume, taken)  # noqa: E731
    keeps: dict[str, tuple[bytes, ...]] = {volume.id: (THEN, NOW)}
    return Scene(act, [volume], [taken], keeps=keeps, makes={volume.id: THEN})


def attach_a_snapshot(stage: Stage) -> Scene:
    volume = stage.volume()
    taken = stage.array.snapshot(volume)
    taken.use_quota = False  # as Cinder's own are, taken for the time of a backup

    def act() -> None:
        stage.driver.create_export_snapshot(stage.context, taken, connector("one"))
        stage.driver.initialize_connection_snapshot(taken, connector("one"))
        stage.driver.terminate_connection_snapshot(taken, connector("one"))
        stage.driver.remove_export_snapshot(stage.context, taken)

    return Scene(act, [volume], [taken], keeps={volume.id: (THEN,)}, resumes=True)


def _kept(volume: Any, act: Callable[[], Any], *, resumes: bool = False) -> Scene:
    return Scene(act, [volume], keeps={volume.id: (THEN,)}, resumes=resumes)


OPERATIONS: dict[str, Callable[[Stage], Scene]] = {
    one.__name__: one
    for one in (
        create,
        clone,
        copy_of_a_snapshot,
        snapshot,
        delete_a_snapshot,
        delete,
        attach,
        attach_a_second_host,
        detach,
        detach_one_of_two,
        detach_all,
        extend,
        retype,
        manage,
        unmanage,
        revert,
        attach_a_snapshot,
    )
}
