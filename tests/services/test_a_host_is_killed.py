# SPDX-License-Identifier: Apache-2.0
"""One cinder-backup host dies in the middle of its work; the other goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from demo.waiting import until
from tests.services.stack.array_view import Instance, instances
from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import MIB, Project

SECONDS = 300.0


@pytest.fixture(scope="module")
def volumes(alice: Project) -> list[str]:
    """One whose backup takes its time, and some more."""
    return alice.volumes("array", ((0, 900 * MIB, 41),), *(((0, 4 * MIB, 42),) for _ in range(4)))


@pytest.fixture(autouse=True)
def hosts_back(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.restart_backup(*(host for host in BACKUP_HOSTS if host not in cloud.cinder.processes))


def open_containers(cloud: Cloud) -> dict[str, frozenset[str]]:
    """Whom the array lets in to which container of backups."""
    return {one.name: one.hosts for one in containers(cloud) if one.hosts or one.online}


def containers(cloud: Cloud) -> list[Instance]:
    return [one for one in instances(cloud.array) if one.name.startswith("backup-")]


def await_access(cloud: Cloud, host: str) -> None:
    """Wait until a cinder-backup host has been let in to something on the array."""
    name = f"iqn.2026-01.org.example:{host}"
    until(
        f"{host} at work",
        lambda: any(name in one.hosts for one in instances(cloud.array)),
        seconds=SECONDS,
    )


def both_at_work(alice: Project, backend: str, volumes: list[str]) -> tuple[list[str], str]:
    """Begin backups until two hosts have some; return those of the one, and one of the other.

    The first is that of the first volume. Cinder's scheduler chooses the hosts at random.
    """
    while True:
        begun: list[str] = []
        hosts: list[str] = []
        for number, volume in enumerate(volumes):
            backup = alice.begin_backup(volume, f"{backend}_{number}")
            begun.append(backup)
            hosts.append(
                until("a host", functools.partial(host_of, alice, backup), seconds=SECONDS)
            )
            if hosts[-1] != hosts[0]:
                return begun[:-1], begun[-1]
        for backup in begun:
            alice.await_backup(backup, "available")
        alice.delete_backups(*begun)


def host_of(alice: Project, backup: str) -> str | None:
    """Which host has been given a backup, once one has."""
    host: str | None = alice.record(backup)["host"]
    return host


@pytest.mark.parametrize("backend", ["datera", "s3"])
def test_in_the_middle_of_a_backup(
    backend: str,
    cloud: Cloud,
    alice: Project,
    volumes: list[str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    before = {one.name for one in containers(cloud)}
    digest = alice.digest(volumes[-1])  # now, before that volume may be one that is backed up
    dying, living = both_at_work(alice, backend, volumes)
    host, other = (alice.record(backup)["host"] for backup in (dying[0], living))
    await_access(cloud, host)
    cloud.cinder.kill(host)
    assert alice.record(dying[0])["status"] == "creating"
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
    until("the array's clean-up", lambda: not open_containers(cloud), seconds=SECONDS)
    with only_host(host):
        alice.delete_backups(*dying)
        assert alice.digest(alice.restore(living)) == digest
    again = alice.backup(volumes[0], f"{backend}_again")["id"]
    alice.delete_backups(living, again)
    assert open_containers(cloud) == {}
    assert {one.name for one in containers(cloud)} == before


def test_in_the_middle_of_a_restore(
    cloud: Cloud,
    alice: Project,
    volumes: list[str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    sources = volumes[:2]
    one, two = (alice.backup(volume, "datera_whole")["id"] for volume in sources)
    targets = alice.volumes("array", *(((5 * MIB, MIB, 43),) for _ in sources))
    host, other = BACKUP_HOSTS
    with only_host(host):
        alice.begin_restore(one, targets[0])
        await_access(cloud, host)
        cloud.cinder.kill(host)
    assert alice.record(one)["status"] == "restoring"
    with only_host(other):
        alice.restore(two, targets[1])
        assert alice.digest(targets[1]) == alice.digest(volumes[1])
        assert alice.record(one)["status"] == "restoring"
        cloud.restart_backup(host)
        alice.await_backup(one, "available")
        alice.await_volume(targets[0], "error_restoring")
    until("the array's clean-up", lambda: not open_containers(cloud), seconds=SECONDS)
    cloud.client(ADMIN)("volume", "set", "--state", "available", targets[0])
    with only_host(host):
        alice.restore(one, targets[0])
    # Cinder does not detach what a dead service had attached: its next turn does.
    assert not [one.hosts for one in instances(cloud.array) if targets[0] in one.name and one.hosts]
    assert alice.digest(targets[0]) == alice.digest(volumes[0])
    alice.delete_backups(one, two)
    assert open_containers(cloud) == {}
