# SPDX-License-Identifier: Apache-2.0
"""The space in use is a sum that is kept: it must equal the sum over all volumes at any moment."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from unittest import mock

import pytest

from datera_emulator.state.model import Volume
from datera_emulator.state.sessions import Session
from datera_emulator.state.space import Space
from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi

STEPS = 150
QUICK = Switches(
    resize_reads=0,
    replica_change_reads=0,
    restore_reads=0,
    clone_cloning_reads=0,
    snapshot_creating_reads=0,
    recovery_reads=1,
    default_replica_count=1,
)


def summed(api: Api) -> Space:
    """Return what a look at every volume comes to."""
    volumes = list(api.cluster.volumes())
    used = api.cluster.files.used
    return Space(
        provisioned=sum(one.size_bytes * one.replica_count for one in volumes),
        used=sum(used(one.file) * one.replica_count for one in volumes),
    )


def write(api: Api, volume: Volume, size: int) -> None:
    with api.cluster.files.path(volume.file).open("r+b") as file:
        file.write(b"x" * size)


def session_with(api: Api, volume: Volume) -> Session:
    (storage,) = (
        storage
        for instance in api.cluster.app_instances.values()
        for storage, one in instance.volumes()
        if one is volume
    )
    return Session(volume.uuid, "iqn.1993-08.org.debian:01:host", storage.iqn, "127.0.0.2", 0, "")


class Walk:
    """Operations on a cluster, each of them with an app instance chosen at random."""

    def __init__(self, api: Api, seed: int) -> None:
        self._api = api
        self._random = random.Random(seed)
        self._made = 0

    def step(self) -> str:
        """Do one operation and return its name."""
        acts: list[Callable[[], object]] = [
            self.create, self.create, self.clone, self.resize, self.add_replica, self.snapshot,
            self.restore, self.delete, self.write_as_a_host, self.node_leaves_and_returns,
            self.read, self.fail_to_commit,
        ]  # fmt: skip
        act = self._random.choice(acts if self._api.cluster.app_instances else [self.create])
        act()
        return act.__name__

    def create(self) -> None:
        self._made += 1
        self._api.create(f"name-{self._made}")

    def clone(self) -> None:
        self._made += 1
        wish = {"name": f"name-{self._made}", "clone_src": {"path": self._one()}}
        self._api.good("POST", "/app_instances", wish)

    def resize(self) -> None:
        path = f"{self._one()}/storage_instances/storage-1/volumes/volume-1"
        self._api.good("PUT", path, {"size": self._api.good("GET", path)["size"] + 1})

    def add_replica(self) -> None:
        one = self._one()
        path = f"{one}/storage_instances/storage-1/volumes/volume-1"
        count = self._api.good("GET", path)["replica_count"]
        self._api.good("PUT", one, {"admin_state": "offline", "force": True})
        self._api.good("PUT", path, {"replica_count": min(5, count + 1)})
        self._api.good("PUT", one, {"admin_state": "online"})

    def snapshot(self) -> str:
        self._api.clock += 1_000_000_000
        path = self._one()
        made = self._api.good("POST", f"{path}/snapshots", {})
        return f"{path} {made['timestamp']}"

    def restore(self) -> None:
        path, _, point = self.snapshot().partition(" ")
        self._api.good("PUT", path, {"admin_state": "offline", "force": True})
        self._api.good("PUT", path, {"restore_point": point})
        self._api.good("PUT", path, {"admin_state": "online"})

    def delete(self) -> None:
        path = self._one()
        self._api.good("PUT", path, {"admin_state": "offline", "force": True})
        self._api.good("DELETE", path)

    def write_as_a_host(self) -> None:
        volume = self._random.choice(list(self._api.cluster.volumes()))
        session = session_with(self._api, volume)
        self._api.cluster.sessions.add(session, lambda: None)
        write(self._api, volume, self._random.randrange(1 << 16))
        self._api.cluster.sessions.remove(session.id)

    def node_leaves_and_returns(self) -> None:
        node = self._random.choice(list(self._api.cluster.storage_nodes.values()))
        self._api.good("PUT", node.path, {"admin_state": "offline"})
        assert self._api.good("GET", "/system")["health"] != "ok"
        self._api.good("PUT", node.path, {"admin_state": "online"})

    def read(self) -> None:
        self._api.good("GET", self._one())

    def fail_to_commit(self) -> None:
        before = len(self._api.cluster.app_instances)
        with mock.patch.object(
            self._api.cluster._store, "write", side_effect=sqlite3.OperationalError("disk full")
        ):
            self._api.refused("POST", "/app_instances", {"name": f"name-{self._made + 1}"})
            self._api.refused("PUT", self._one(), {"descr": "another"})
        assert len(self._api.cluster.app_instances) == before

    def _one(self) -> str:
        return self._random.choice(list(self._api.cluster.app_instances.values())).path


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_space_equals_the_sum_after_each_operation(make_api: MakeApi, seed: int) -> None:
    api = make_api(switches=QUICK)
    walk = Walk(api, seed)
    for number in range(STEPS):
        done = walk.step()
        assert api.cluster.space.total() == summed(api), f"after {done}, step {number}"
        recovering = any(one.recovering_reads for one in api.cluster.volumes())
        assert (api.good("GET", "/system")["health"] == "warning") == recovering, done
    again = make_api(switches=QUICK)
    assert again.cluster.space.total() == summed(again)
    again.cluster.reset()
    assert again.cluster.space.total() == Space()


def test_space_follows_a_host_while_it_is_logged_in(api: Api) -> None:
    api.create()
    (volume,) = api.cluster.volumes()
    session = session_with(api, volume)
    api.cluster.sessions.add(session, lambda: None)
    for size in (1 << 16, 1 << 17, 1 << 18):
        write(api, volume, size)
        assert api.cluster.space.total() == summed(api)
    write(api, volume, 1 << 19)
    api.cluster.sessions.drop(lambda _: True)
    assert api.cluster.space.total() == summed(api)


def test_space_looks_at_no_file_that_nothing_has_changed(api: Api) -> None:
    for number in range(3):
        api.create(f"name-{number}")
    first = api.good("GET", "/system")
    with mock.patch.object(api.cluster.files, "used", side_effect=AssertionError):
        assert api.good("GET", "/system")["available_capacity"] == first["available_capacity"]
