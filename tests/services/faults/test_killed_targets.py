# SPDX-License-Identifier: Apache-2.0
"""The target daemon is killed under a backup, a restore and a deletion, and is started anew.

Over real iSCSI: the hosts' initiator logs in again and repeats what was not answered. The daemon is
another process's child, for while it is away, one that forks waits until its volumes are there.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator.remote_control import RemoteControl
from datera_emulator.target import brick
from demo.servers.cinder_conf import Array
from tests.fixtures.backends.contract_backends import datera_options, volume_options
from tests.fixtures.faults.extent import amount, chance
from tests.fixtures.faults.failing_devices import FailingDevices
from tests.fixtures.faults.kth import Kth
from tests.services.faults.data import digest, scatter
from tests.services.stack.array_view import instances

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

INITIATOR = "iqn.1993-08.org.debian:01:targethost"
OPERATIONS = ("full", "incremental", "restore", "delete")

pytestmark = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK),
    reason="this user may not use /dev/fuse, through which libiscsi's volumes are shown",
)


class TargetKill(Kth):
    """The target daemon dies just before the k-th step, which nothing keeps from being made."""

    def __init__(self, emulator: int, at: int) -> None:
        super().__init__(at)
        self._emulator = emulator

    def strikes(self) -> bool:
        if super().strikes():
            os.kill(daemon_of(self._emulator), signal.SIGKILL)
        return False


def daemon_of(emulator: int) -> int:
    """The process of the only tgtd that an emulator runs."""
    found = subprocess.run(
        ["pgrep", "--parent", str(emulator), "--exact", "tgtd"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(found.stdout)


@dataclass
class Scene:
    """A cluster in another process, and a Cinder whose volumes and backups are there.

    :ivar ready: what the emulator said when it was.
    :ivar hosts: the folder in which volumes are attached.
    """

    cinder: CinderService
    ready: SimpleNamespace
    hosts: Path

    def create_volume(self) -> tuple[Any, Path]:
        """A new volume, and the file on the cluster that is its data."""
        before = self._files()
        volume = self.cinder.create_volume(1)
        assert volume.status == "available", self.cinder.failures
        (file,) = self._files() - before
        return volume, file

    def disturbed(self, call: str, at: int, act: Callable[[], Any]) -> tuple[Any, Kth]:
        """Act while the target dies at a call of a device; return what comes of it."""
        kth = TargetKill(self.ready.pid, at)
        with FailingDevices(self.hosts, call, None, kth).in_force():
            return act(), kth

    def instances(self) -> list[Any]:
        """The cluster's app instances."""
        ready = self.ready
        return instances(
            Array("127.0.0.1", ready.https_port, ready.username, ready.password, ready.ca_bundle)
        )

    def at_rest(self) -> None:
        """See that nothing is attached or open to anybody."""
        assert brick._HOST.attachments == []
        for one in self.instances():
            assert not one.hosts
            # A volume that nobody has attached yet is online, to nobody.
            assert not (one.online and one.name.startswith("backup-"))
        control = RemoteControl("127.0.0.1", self.ready.http_port)
        assert control.ask("GET", "status")["host_sessions"] == 0
        assert not list(self.hosts.iterdir())

    def _files(self) -> set[Path]:
        data = Path(self.ready.state_dir) / "data"
        return {path for path in data.rglob("*") if path.is_file()}


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[SimpleNamespace]:
    command = [sys.executable, "-m", "datera_emulator", "serve", "--transport", "tgt"]
    place = ["--state-dir", str(tmp_path / "array"), "--http-port", "0", "--https-port", "0"]
    with subprocess.Popen([*command, *place], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield SimpleNamespace(**json.loads(running.stdout.readline()))
        finally:
            running.terminate()


@pytest.fixture
def scene(
    tmp_path: Path,
    ready: SimpleNamespace,
    start_cinder: Callable[..., CinderService],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    from datera_backup.storage.backend import forget_backends

    hosts = tmp_path / "hosts"
    hosts.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(hosts))
    driver = "backup_driver = datera_backup.driver.DateraBackupDriver"
    brick.install(INITIATOR, "libiscsi")
    cinder = start_cinder(
        defaults=f"{driver}\n{datera_options(ready)}",
        backend=volume_options(ready),
        section="array",
    )
    yield Scene(cinder, ready, hosts)
    brick.uninstall()
    forget_backends()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_whose_target_is_killed_loses_nothing_and_leaves_nothing(
    scene: Scene, operation: str, tally: Callable[[str, int], None]
) -> None:
    calls = ("read", "write", "flush")
    dice = chance("targets", operation)
    steps = {call: made(scene, operation, call, 0, dice) for call in calls}
    possible = [(call, at) for call in calls for at in range(1, steps[call] + 1)]
    wanted = min(amount(small=0, brief=1, whole=6), len(possible))
    for call, at in dice.sample(possible, wanted):
        try:
            assert made(scene, operation, call, at, dice) >= at
        except BaseException as failure:
            failure.add_note(f"{operation}: the target was killed at {call} {at}")
            raise
    tally("targets killed under a backup", wanted)


def made(scene: Scene, operation: str, call: str, at: int, dice: random.Random) -> int:
    """Do an operation, disturbed at a call, and check all; return how many calls there were."""
    cinder = scene.cinder
    volume, file = scene.create_volume()
    scatter(file, dice, 4)
    expected: dict[str, str] = {}

    def backup(*, incremental: bool) -> Any:
        done = cinder.create_backup(volume, "nightly", incremental=incremental)
        expected[done.id] = digest(file)
        return done

    kept = []
    if operation == "full":
        done, kth = scene.disturbed(call, at, lambda: backup(incremental=False))
        kept = [done]
    else:
        kept = [backup(incremental=False)]
        scatter(file, dice, 2)
    target, restored = scene.create_volume()
    if operation == "incremental":
        done, kth = scene.disturbed(call, at, lambda: backup(incremental=True))
        kept.append(done)
    elif operation == "restore":
        done, kth = scene.disturbed(call, at, lambda: cinder.restore_backup(kept[0], target))
        assert done.status == "available", cinder.failures
        assert digest(restored) == expected[kept[0].id]
    elif operation == "delete":
        kept.append(backup(incremental=True))
        gone = kept.pop()
        left, kth = scene.disturbed(call, at, lambda: cinder.delete_backup(gone))
        assert left is None, left.fail_reason
    scene.at_rest()
    for one in kept:
        assert one.status == "available", one.fail_reason
        done = cinder.restore_backup(one, target)
        assert done.status == "available", cinder.failures
        assert digest(restored) == expected[one.id]
    for one in reversed(kept):
        assert cinder.delete_backup(one) is None
    for one in (volume, target):
        cinder.delete_volume(one)
    assert scene.instances() == []
    scene.at_rest()
    return kth.passed
