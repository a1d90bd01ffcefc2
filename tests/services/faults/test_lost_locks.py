# SPDX-License-Identifier: Apache-2.0
"""Two hosts and more, and the locks between them lost in the middle of an append.

Whatever is lost when, no byte of a committed backup changes, and what is called available restores
to identical bytes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Protocol

import pytest

from datera_backup.container import Container
from datera_backup.container.device import FileDevice
from demo.waiting import until
from tests.fixtures.faults.extent import amount, chance
from tests.services.faults import data
from tests.services.faults.lane import BACKUP, SECONDS, VOLUME, Lane
from tests.services.faults.requests_to_cinder import Refused
from tests.services.faults.small_cloud import SmallCloud
from tests.services.install import install_lacking
from tests.services.stack.guests.guest import listed
from tests.services.stack.servers.redis import Redis

APPEND_STEPS = 90
"""No append of these tests takes more, but one that begins a container."""


class Locks(Protocol):
    """A server of the locks between hosts."""

    @property
    def locks_url(self) -> str: ...

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def end_leases(self) -> None: ...


@pytest.fixture(scope="module", params=["etcd", "redis"])
def locks(request: pytest.FixtureRequest, small_cloud: SmallCloud) -> Iterator[Locks]:
    if request.param == "etcd":
        yield small_cloud.etcd
        return
    install_lacking(listed("when needed: faults"))
    redis = Redis(small_cloud.directory / "redis", small_cloud.servers)
    redis.start()
    yield redis
    redis.kill()


@pytest.fixture(scope="module")
def hosts(locks: Locks, small_cloud: SmallCloud) -> Iterator[list[Lane]]:
    """Three hosts of cinder-backup, each in a zone of its own; the first zone has the volumes."""
    numbers = chance("zones", type(locks).__name__).sample(range(100, 1000), 3)
    lanes = [Lane(small_cloud, number, locks.locks_url) for number in numbers]
    lanes[0].launch(VOLUME)
    for lane in lanes:
        lane.launch(BACKUP)
        # One cloud: what one has made another restores and deletes.
        lane.backups, lane.volumes = lanes[0].backups, lanes[0].volumes
        lane.contents = lanes[0].contents
    yield lanes
    for lane in lanes:
        lane.stop()


class Append:
    """An append that is stopped midway, and what is in its container before.

    :ivar stopped: whether it was; else it was over before.
    """

    def __init__(self, hosts: list[Lane], steps: int) -> None:
        self.first, self.second, self.third = hosts
        self.volume = self.first.volume()
        data.scatter(self.first.path(self.volume), self.first.chance, 6)
        self.full = self.first.backup(self.volume)
        data.scatter(self.first.path(self.volume), self.first.chance, 3)
        self.older = self._made(self.third)
        self.container = self.first.path(f"backup-{self.full}")
        self.before = self.committed()
        data.scatter(self.first.path(self.volume), self.first.chance, 3)
        self._process = self.first.processes[BACKUP]
        self._process.steps.end_after(steps, signal.SIGSTOP)
        self.begun = self.first.begin_backup(self.volume, incremental=True)
        until("the append stopped", self._is_stopped_or_over, seconds=SECONDS)
        self.stopped = self._process.is_stopped()
        self._process.steps.spare()

    def go_on(self) -> None:
        """Let it go on."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def await_end(self) -> None:
        """Wait until Cinder calls the backup something final."""

        def ended() -> bool:
            return self.first.states("backups", [self.begun])[self.begun] != "creating"

        until("the append's end", ended, seconds=SECONDS)

    def committed(self) -> dict[str, str]:
        """The bytes of each committed backup's range, as a digest."""
        with FileDevice(self.container) as device, self.container.open("rb") as file:
            return {
                str(one.backup_id): blake2b(
                    os.pread(file.fileno(), one.end - one.start, one.start)
                ).hexdigest()
                for one in Container.open(device).entries
                if one.state.name == "COMMITTED"
            }

    def _made(self, lane: Lane) -> str:
        made = lane.begin_backup(self.volume, incremental=True)
        lane.settled()
        assert lane.is_available(made), lane.record(made)["fail_reason"]
        return made

    def _is_stopped_or_over(self) -> bool:
        return self._process.is_stopped() or not self.first.under_way()


WAYS = ("lease", "server", "outage")


@pytest.mark.parametrize("way", WAYS)
def test_no_committed_byte_changes_when_a_lock_is_lost_in_an_append(
    hosts: list[Lane], locks: Locks, way: str, tally: Callable[[str, int], None]
) -> None:
    tries = amount(small=0, brief=1, whole=12)
    kind = type(locks).__name__
    count = chance("append", kind, way).sample(range(1, APPEND_STEPS), tries)
    for steps in sorted(count):
        append = Append(hosts, steps)
        try:
            if append.stopped and way == "outage":
                locks.kill()
                append.go_on()
                append.await_end()
                locks.start()
            elif append.stopped:
                lose(locks, way)
                meanwhile(append)
                append.go_on()
            if append.stopped:
                tally(f"locks lost in an append: {kind}, the {way}", 1)
            check(append)
        except BaseException as failure:
            append.go_on()
            failure.add_note(f"{kind}, {way}, stopped at step {steps}")
            raise


def lose(locks: Locks, way: str) -> None:
    """Take the lock from whoever holds it."""
    if way == "lease":
        locks.end_leases()
    else:
        locks.kill()
        locks.start()
        # etcd has kept the lease; its holder does not refresh it, for it is stopped.
        locks.end_leases()


def meanwhile(append: Append) -> None:
    """Another host deletes a backup of the container and makes one, a third one restores."""
    first, second, third = append.first, append.second, append.third
    with suppress(Refused):
        third.requests.delete_backup(append.older)
    first.requests.reset_volume(append.volume)
    newer = second.begin_backup(append.volume, incremental=True)

    def done() -> bool:
        states = first.states("backups", [append.older, newer])
        return (
            states.get(newer) in ("available", "error") and states.get(append.older) != "deleting"
        )

    until("the other hosts' operations", done, seconds=SECONDS)
    append.before.pop(append.older, None)


def check(append: Append) -> None:
    """All is in a final state, nothing committed has changed, and what is available is right."""
    first = append.first
    first.settled()
    now = append.committed()
    changed = [one for one, digest in append.before.items() if now.get(one) != digest]
    assert not changed, f"committed backups that were changed: {changed}"
    states = first.states("backups", first.backups)
    target = first.volume()
    for backup, state in states.items():
        if state == "available":
            first.restored(backup, target)
    first.usable(append.volume)
    first.delete(states)
    first.delete_volumes([target, append.volume])
    first.await_no_leaks()
    assert first.on_cluster() == []
