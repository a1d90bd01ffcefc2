# SPDX-License-Identifier: Apache-2.0
"""Eight backups at once, to all backends."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cloud import Cloud
from tests.services.stack.project import MIB, Project

BACKENDS = ("datera", "ceph", "swift", "s3") * 2
MEMORY = 1536 * MIB
"""Maximum memory of one cinder-backup process, which may have all eight."""
API_SECONDS = 60.0
"""Seconds within which Cinder's API must answer meanwhile."""


def test_many_backups_at_once_succeed_and_services_answer(cloud: Cloud, alice: Project) -> None:
    volumes = alice.volumes("array", *(((0, 100 * MIB, 70 + number),) for number in range(8)))
    digests = alice.digests(volumes)
    pids = [cloud.cinder.processes[host].pid for host in BACKUP_HOSTS]
    with Watch(cloud, pids) as watch:
        begun = [
            alice.begin_backup(volume, f"{name}_{number}")
            for number, (name, volume) in enumerate(zip(BACKENDS, volumes, strict=True))
        ]
        for backup in begun:
            alice.await_backup(backup, "available")
    assert watch.down == set()
    assert 0 < watch.peak < MEMORY
    # Each onto the next one's volume.
    assert alice.digests(alice.restore_all(begun, volumes[1:] + volumes[:1])) == digests
    alice.delete_backups(*begun)


class Watch:
    """Monitors, during the block, which services are down, and the memory of processes.

    :ivar down: services that were found down, by program and host.
    :ivar peak: the most memory that one of the processes had, in bytes.
    """

    def __init__(self, cloud: Cloud, pids: list[int]) -> None:
        self.down: set[tuple[str, str]] = set()
        self.peak = 0
        self._cloud = cloud
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1):
            try:
                states = self._cloud.services_up(seconds=API_SECONDS)
            except Exception as error:
                self.down.add(("cinder-api", f"{type(error).__name__}: {error}"))
                continue
            self.down |= {service for service, state in states.items() if state != "up"}
            self.peak = max(self.peak, *(_resident(pid) for pid in self._pids))


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
