# SPDX-License-Identifier: Apache-2.0
"""One cinder-backup host dies in the middle of its work; the other goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from demo.waiting import until
from tests.services.stack.array_view import instances
from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import MIB, Project

SECONDS = 300.0


@pytest.fixture(scope="module")
def volumes(alice: Project) -> tuple[str, str]:
    return alice.volume("array", (0, 800 * MIB, 41)), alice.volume("array", (0, 800 * MIB, 42))


@pytest.fixture(autouse=True)
def hosts_back(cloud: Cloud) -> Iterator[None]:
    yield
    for host in BACKUP_HOSTS:
        if host not in cloud.cinder.processes:
            cloud.restart_backup(host)


def attached_hosts(cloud: Cloud) -> dict[str, frozenset[str]]:
    """Whom the array lets in to what."""
    return {one.name: one.hosts for one in instances(cloud.array) if one.hosts}


def await_access(cloud: Cloud, host: str) -> None:
    """Wait until a cinder-backup host has been let in to something on the array."""
    name = f"iqn.2026-01.org.example:{host}"
    until(
        f"{host} at work",
        lambda: any(name in hosts for hosts in attached_hosts(cloud).values()),
        seconds=SECONDS,
    )


def both_at_work(
    cloud: Cloud, alice: Project, backend: str, volumes: tuple[str, str]
) -> tuple[str, str]:
    """Begin a backup of each volume, until two hosts have one each; return the backups.

    Cinder's scheduler chooses the hosts at random. Both are ordered at the same time: else the
    first could be done before the second begins.
    """

    def begun(volume: str) -> str:
        backup = alice.begin_backup(volume, f"{backend}_{volume[:4]}")
        until("a host for it", lambda: alice.record(backup)["service"], seconds=SECONDS)
        return backup

    while True:
        with ThreadPoolExecutor() as side:
            first, second = side.map(begun, volumes)
        if alice.record(first)["host"] != alice.record(second)["host"]:
            return first, second
        for backup in (first, second):
            alice.await_backup(backup, "available")
            alice.delete_backup(backup)


@pytest.mark.parametrize("backend", ["datera", "s3"])
def test_in_the_middle_of_a_backup(
    backend: str,
    cloud: Cloud,
    alice: Project,
    volumes: tuple[str, str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    before = {one.name for one in instances(cloud.array)}
    dying, living = both_at_work(cloud, alice, backend, volumes)
    host, other = (alice.record(backup)["host"] for backup in (dying, living))
    await_access(cloud, host)
    cloud.cinder.kill(host)
    alice.await_backup(living, "available")
    assert alice.record(dying)["status"] == "creating"
    with only_host(other):
        assert alice.digest(alice.restore(living)) == alice.digest(volumes[1])
        cloud.restart_backup(host)
        assert "restart" in alice.await_backup(dying, "error")["fail_reason"]
    alice.await_volume(volumes[0], "available")
    with only_host(host):
        alice.delete_backup(dying)
        target = alice.restore(living)
    assert alice.digest(target) == alice.digest(volumes[1])
    again = alice.backup(volumes[0], f"{backend}_again")["id"]
    for backup in (living, again):
        alice.delete_backup(backup)
    assert attached_hosts(cloud) == {}
    left = {one.name for one in instances(cloud.array)} - before
    assert not [name for name in left if name.startswith("backup-")]


def test_in_the_middle_of_a_restore(
    cloud: Cloud,
    alice: Project,
    volumes: tuple[str, str],
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    one, two = (alice.backup(volume, "datera_whole")["id"] for volume in volumes)
    targets = [alice.volume("array", (5 * MIB, MIB, 43)) for _ in volumes]
    host, other = BACKUP_HOSTS
    with only_host(host):
        alice.begin_restore(one, targets[0])
        await_access(cloud, host)
    with only_host(other):
        alice.begin_restore(two, targets[1])
        cloud.cinder.kill(host)
        alice.await_backup(two, "available")
        alice.await_volume(targets[1], "available")
        assert alice.digest(targets[1]) == alice.digest(volumes[1])
        assert alice.record(one)["status"] == "restoring"
        cloud.restart_backup(host)
        alice.await_backup(one, "available")
        alice.await_volume(targets[0], "error_restoring")
    cloud.client(ADMIN)("volume", "set", "--state", "available", targets[0])
    with only_host(host):
        alice.restore(one, targets[0])
    assert alice.digest(targets[0]) == alice.digest(volumes[0])
    for backup in (one, two):
        alice.delete_backup(backup)
    assert attached_hosts(cloud) == {}
