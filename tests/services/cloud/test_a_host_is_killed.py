# SPDX-License-Identifier: Apache-2.0
"""One cinder-backup host is killed during an operation; the other keeps working."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from demo.waiting import NotYet, until
from tests.services.stack.array_view import Instance, instances
from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import MIB, Project

SECONDS = 300.0
AT_WORK = {"creating", "restoring"}
ROUNDS = 12
"""Cinder's scheduler sends all of five backups to one host in one round of sixteen."""


@pytest.fixture
def volumes(alice: Project) -> list[str]:
    """One whose backup takes long, and some more."""
    return alice.volumes("array", ((0, 900 * MIB, 41),), *(((0, 4 * MIB, 42),) for _ in range(4)))


@pytest.fixture(autouse=True)
def hosts_back(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.restart_backup(*(host for host in BACKUP_HOSTS if host not in cloud.cinder.processes))


class Containers:
    """The containers of backups that were created on the array since this object."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._before: frozenset[str] = frozenset()
        self._before = frozenset(self.names())

    def names(self) -> set[str]:
        """The existing ones."""
        return {one.name for one in self._new()}

    def open(self) -> dict[str, frozenset[str]]:
        """Those that are online or have initiators in their ACL, with these."""
        return {one.name: one.hosts for one in self._new() if one.hosts or one.online}

    def await_closed(self) -> None:
        """Wait until all are offline with empty ACLs."""

        def closed() -> bool:
            if still := self.open():
                raise NotYet(str(still))
            return True

        until("the array's clean-up", closed, seconds=SECONDS)

    def _new(self) -> list[Instance]:
        return [
            one
            for one in instances(self._cloud.array)
            if one.name.startswith("backup-") and one.name not in self._before
        ]


def killed_at_work(cloud: Cloud, record: Callable[[], dict[str, Any]], volume: str) -> bool:
    """Kill a host once it has attached the volume of its operation; return whether in time.

    A host that had already finished is restarted.

    :param record: reads the backup's record.
    """
    host = record()["host"]
    name = f"iqn.2026-01.org.example:{host}"

    def let_in_or_done() -> bool:
        found = [one for one in instances(cloud.array) if volume in one.name]
        if not any(name in one.hosts for one in found) and record()["status"] in AT_WORK:
            raise NotYet(str(found))
        return True

    until(f"{host} at work", let_in_or_done, seconds=SECONDS)
    cloud.cinder.kill(host)
    if record()["status"] in AT_WORK:
        return True
    cloud.restart_backup(host)
    return False


def one_killed_of_two(
    cloud: Cloud, alice: Project, backend: str, volumes: list[str]
) -> tuple[list[str], str]:
    """Start backups until two hosts have some, and kill the first volume's during its backup.

    Cinder's scheduler chooses the hosts at random.

    :returns: the backups of the killed host, and one of the other's.
    """
    for _ in range(ROUNDS):
        begun: list[str] = []
        hosts: list[str] = []
        for number, volume in enumerate(volumes):
            begun.append(alice.begin_backup(volume, f"{backend}_{number}"))
            hosts.append(
                until("a host", functools.partial(host_of, alice, begun[-1]), seconds=SECONDS)
            )
            if hosts[-1] != hosts[0]:
                if killed_at_work(cloud, functools.partial(alice.record, begun[0]), volumes[0]):
                    return begun[:-1], begun[-1]
                break
        for backup in begun:
            alice.await_end(backup)
        alice.delete_backups(*begun)
    pytest.fail(f"no host could be killed in the middle of its work in {ROUNDS} rounds")


def host_of(alice: Project, backup: str) -> str | None:
    """The host that a backup was scheduled to, once it was."""
    host: str | None = alice.record(backup)["host"]
    return host


@pytest.mark.parametrize("backend", ["datera", "s3"])
def test_a_host_is_killed_in_the_middle_of_a_backup(
    backend: str,
    cloud: Cloud,
    alice: Project,
    volumes: list[str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    containers = Containers(cloud)
    digest = alice.digest(volumes[-1])  # now, before that volume may be backed up
    dying, living = one_killed_of_two(cloud, alice, backend, volumes)
    host, other = (alice.record(backup)["host"] for backup in (dying[0], living))
    alice.await_backup(living, "available")
    with only_host(other):
        assert alice.digest(alice.restore(living)) == digest
        assert alice.record(dying[0])["status"] == "creating"
        cloud.restart_backup(host)
        for backup in dying:
            # Some may have been finished before.
            alice.await_end(backup)
        assert "restart" in alice.record(dying[0])["fail_reason"]
    alice.await_volume(volumes[0], "available")
    containers.await_closed()
    with only_host(host):
        alice.delete_backups(*dying)
        assert alice.digest(alice.restore(living)) == digest
    again = alice.backup(volumes[0], f"{backend}_again")["id"]
    alice.delete_backups(living, again)
    assert containers.names() == set()


def test_a_host_is_killed_in_the_middle_of_a_restore(
    cloud: Cloud,
    alice: Project,
    volumes: list[str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    containers = Containers(cloud)
    sources = volumes[:2]
    one, two = (alice.backup(volume, "datera_whole")["id"] for volume in sources)
    targets = alice.volumes("array", *(((5 * MIB, MIB, 43),) for _ in sources))
    host, other = BACKUP_HOSTS
    with only_host(host):
        for _ in range(ROUNDS):
            alice.begin_restore(one, targets[0])
            if killed_at_work(cloud, functools.partial(alice.record, one), targets[0]):
                break
            alice.await_restore(one, targets[0])
    assert alice.record(one)["status"] == "restoring"
    with only_host(other):
        alice.restore(two, targets[1])
        assert alice.digest(targets[1]) == alice.digest(volumes[1])
        assert alice.record(one)["status"] == "restoring"
        cloud.restart_backup(host)
        alice.await_backup(one, "available")
        alice.await_volume(targets[0], "error_restoring")
    containers.await_closed()
    cloud.client(ADMIN)("volume", "set", "--state", "available", targets[0])
    with only_host(host):
        alice.restore(one, targets[0])
    # Cinder does not detach what a killed service had attached: its next operation does.
    assert not [one.hosts for one in instances(cloud.array) if targets[0] in one.name and one.hosts]
    assert alice.digest(targets[0]) == alice.digest(volumes[0])
    alice.delete_backups(one, two)
    assert containers.names() == set()
