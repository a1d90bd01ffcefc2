# SPDX-License-Identifier: Apache-2.0
"""One cluster with what operations need, what it holds, and what must come of an operation."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from cinder import objects

from datera_volume.connection import Cluster
from datera_volume.connection.transport.auth import REFUSAL_STANDS
from tests.fixtures.datera.kept_state import KeptState
from tests.fixtures.faults.link import Clock, Link
from tests.functional.datera_volume.versions.conftest import Array

THEN, NOW = b"then", b"now!"
NOTHING = KeptState([], {})
# Seconds. Few attempts, so that a fault for ever costs few requests; nothing else depends on it.
BUSY_TIMEOUT, BUSY_INTERVAL = 120.0, 50.0
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
    :param grows: whether a failure may leave replicas and size: they cannot be reduced again.
    :param may_have_grown: the same, but only where no answer came in time.
    :param again: what does it once more after a failure; None: the same.
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
    grows: bool = False
    may_have_grown: bool = False
    again: Callable[[], Any] | None = None

    @property
    def named(self) -> list[str]:
        """The ids and names that app instances may carry."""
        records = [*self.volumes, *self.snapshots]
        return [*(record.id for record in records), *self.others]


class Stage:
    """One cluster with what the operations need: types, a pool, a placement policy.

    Its driver waits without any time passing.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        self.driver = array.driver
        self.context = array.service.context
        self.clock = Clock()
        self.link = Link(self.clock)
        self._connect()
        network = {"name": "np", "start_ip": "10.0.0.1", "range": 6, "netmask": 24}
        array.ask("/access_network_ip_pools", name="pool2", network_paths=[network])
        placement = {"placement_mode": "all_flash"}
        if array.recent:
            array.ask("/placement_policies", name="pp2")
            placement = {"placement_policy": "pp2"}
        silver = {
            "total_iops_max": "1000",
            "iops_per_gb": "10",
            "replica_count": "2",
            "ip_pool": "default",
        }
        gold = {"read_iops_max": "55", "replica_count": "3", "ip_pool": "pool2", **placement}
        self.silver, self.gold = array.volume_type(**silver), array.volume_type(**gold)
        self.open_silver = array.volume_type(**silver, acl_allow_all="True")
        self.open_gold = array.volume_type(**gold, acl_allow_all="True")

    def _connect(self) -> None:
        settings = dataclasses.replace(
            self.driver.cluster.settings, busy_timeout=BUSY_TIMEOUT, busy_interval=BUSY_INTERVAL
        )
        self.driver.cluster.close()
        self.driver._cluster = Cluster(
            settings,
            session=self.link.session(),
            sleep=self.clock.sleep,
            clock=self.clock.now,
        )
        self.driver.check_for_setup_error()

    def volume(self, contents: bytes = THEN, volume_type: Any = None) -> Any:
        """A volume of 1 GiB that was made, with these contents."""
        made = self.array.volume(1, volume_type or self.silver)
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

    def unmade_snapshot(self, volume: Any) -> Any:
        """The record of a snapshot that was not made."""
        taken = objects.Snapshot(
            self.context,
            volume_id=volume.id,
            volume_size=1,
            project_id=self.context.project_id,
            user_id=self.context.user_id,
            status="creating",
        )
        taken.create()
        return taken

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

    def holds(self, scene: Scene, but: Collection[str] = ()) -> list[str]:
        """All that the cluster holds, the same for the same state in each run.

        :param but: properties that do not matter.
        """
        found = []
        for instance in self.array.emulator.cluster.app_instances.values():
            for storage, volume in instance.volumes():
                limits = volume.performance_policy or {}
                closed = storage.access_control_mode == "deny_all"
                either = scene.switches and closed and not storage.initiators
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
                mattering = {name: value for name, value in one.items() if name not in but}
                found.append(_RUN.sub("ID", json.dumps(mattering, sort_keys=True)))
        return sorted(found)

    def calm(self) -> None:
        """No fault any more, and a driver that would log in again whatever it was told."""
        self.array.emulator.faults.clear()
        self.link.calm()
        self.clock.sleep(REFUSAL_STANDS + 1)
        self.clock.begin_again()

    def wipe(self) -> None:
        """Nothing at all."""
        self.calm()
        NOTHING.put_back(self.array.emulator.cluster)


def connector(host: str) -> dict[str, Any]:
    """What a host says of itself."""
    return {"initiator": f"iqn.1994-05.com.redhat:{host}", "host": host, "multipath": False}
