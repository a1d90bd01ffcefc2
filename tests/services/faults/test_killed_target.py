# SPDX-License-Identifier: Apache-2.0
"""The iSCSI target daemon is killed under a running backup, and started again with its cluster."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.faults.extent import amount, chance
from tests.services.faults import data
from tests.services.test_iscsi import cinder, data_file, emulator, pytestmark

__all__ = ["cinder", "emulator", "pytestmark"]

MIB = 2**20
STEPS = 24
"""Reads and writes of a backup as small as these; not each is reached in each run."""


class Killing:
    """Counts reads and writes of this process, and kills the daemon before the chosen one."""

    def __init__(self, array: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        self._array = array
        self._left = 0
        self._lock = threading.Lock()
        self.killed = False
        for name in ("preadv", "pwritev", "fdatasync"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def at(self, step: int) -> None:
        """Choose the step."""
        self.killed, self._left = False, step

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    self._kill()
            return real(*arguments)

        return call

    def _kill(self) -> None:
        transport: Any = self._array._transport
        process = transport._daemon._process
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.killed = True
        # As a node of the cluster comes back: with the same addresses and targets.
        self._array.stop()
        self._array.start()


def test_a_backup_ends_and_lies_not_when_the_target_daemon_is_killed(
    emulator: Emulator,
    cinder: Any,
    monkeypatch: pytest.MonkeyPatch,
    tally: Callable[[str, int], None],
) -> None:
    killing = Killing(emulator, monkeypatch)
    tries = amount(small=0, brief=1, whole=12)
    volume = cinder.create_volume(1)
    target = cinder.create_volume(1)
    for step in sorted(chance("target daemon").sample(range(1, STEPS), tries)):
        path = data_file(emulator, volume.id)
        with path.open("r+b") as file:
            file.seek(step * 20 * MIB)
            file.write(random.Random(step).randbytes(3 * MIB))
        expected = data.digest(path)
        killing.at(step)
        backup = cinder.create_backup(volume, "nightly")
        killing.at(0)
        assert backup.status in ("available", "error"), step
        if backup.status == "available":
            assert cinder.restore_backup(backup, target).status == "available", cinder.failures
            assert data.digest(data_file(emulator, target.id)) == expected, step
        again = cinder.create_backup(volume, "again")
        assert again.status == "available", (step, again.fail_reason)
        assert cinder.restore_backup(again, target).status == "available", cinder.failures
        assert data.digest(data_file(emulator, target.id)) == expected, step
        for one in (again, backup):
            assert cinder.delete_backup(one) is None
        assert not list(emulator.cluster.sessions), step
        left = {one.name for one in emulator.cluster.app_instances.values()}
        assert not any(name.startswith("backup-") for name in left), step
        tally("target daemons killed under a backup", int(killing.killed))
