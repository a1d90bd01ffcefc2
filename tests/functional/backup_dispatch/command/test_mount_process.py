# SPDX-License-Identifier: Apache-2.0
"""A mount as an operator starts and ends it: a process, signals, an ordinary user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import mounting
from tests.functional.backup_dispatch.command.test_process import arguments

pytestmark = pytest.mark.skipif(bool(mounting.why_not()), reason=mounting.why_not())

MIB = 2**20


class Mount:
    """A process that has mounted a backup."""

    def __init__(self, folder: Path, backup: str) -> None:
        self.directory = folder / "mnt"
        self.directory.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            arguments(folder, "mount", backup, str(self.directory), "-f", "json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        mounting.once_mounted(self.directory, lambda: self.process.poll() is not None)

    def end(self) -> tuple[int, Any, str]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, json.loads(out), err


@pytest.fixture
def mount(start_dispatching: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[[], Mount]]:
    cinder = start_dispatching(secondaries="")
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"text" * 1000)
    backup = cinder.create_backup(volume, "posix_1")
    assert backup.status == "available", backup.fail_reason
    mounts: list[Mount] = []

    def start() -> Mount:
        mounts.append(Mount(tmp_path, backup.id))
        mounts[-1].wait()
        return mounts[-1]

    yield start
    for one in mounts:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
        if os.path.ismount(one.directory):
            with suppress(subprocess.CalledProcessError):
                mounting.unmount(one.directory)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_unmounts_even_while_the_file_is_open(
    mount: Callable[[], Mount], number: signal.Signals
) -> None:
    started = mount()
    descriptor = os.open(started.directory / "volume.raw", os.O_RDONLY)
    try:
        assert os.read(descriptor, 10) == bytes(10)
        started.process.send_signal(number)
        code, told, err = started.end()
    finally:
        with suppress(OSError):  # nobody serves it any more
            os.close(descriptor)
    assert (code, told["damage"]) == (0, []), err
    assert "Traceback" not in err
    assert "is backup" in err
    assert not os.path.ismount(started.directory)


@pytest.mark.faults
def test_killed_mount_is_named_with_the_remedy_and_the_next_one_works(
    mount: Callable[[], Mount], tmp_path: Path
) -> None:
    started = mount()
    started.process.kill()
    started.process.communicate()
    done = subprocess.run(
        arguments(tmp_path, "mount", "posix_1", str(started.directory)),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"fusermount3 -u {started.directory}" in done.stderr
    mounting.unmount(started.directory)
    again = mount()
    mounting.unmount(again.directory)
    assert again.end()[0] == 0


ORDINARY = """\
import os, sys, subprocess
from datetime import datetime, timezone
from pathlib import Path
from backup_dispatch.jobs.mounting import VolumeFilesystem, serve

class Data:
    size = 2**20
    def extents(self):
        yield 0, 4096
    def read_into(self, offset, buffer):
        buffer[:] = b"x" * len(buffer)
        return []
    def close(self):
        pass

folder = Path(sys.argv[1])

def look():
    # In a process of its own: FUSE answers only when this returns.
    subprocess.Popen(
        ["sh", "-c", f"head -c 3 {folder}/volume.raw; id -u; fusermount3 -u {folder}"]
    )

filesystem = VolumeFilesystem(Data(), datetime.now(timezone.utc), print)
serve(filesystem, folder, look, name="a backup")
filesystem.close()
"""


@pytest.mark.skipif(
    not mounting.open_to_all(), reason="on this machine only root may open /dev/fuse"
)
def test_ordinary_user_mounts_without_root(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORDINARY]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    user = os.getuid()
    if not user:
        user = 65534
        # A folder that an ordinary user may enter, unlike pytest's.
        folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
        os.chown(folder, user, user)
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *command]
    else:
        folder = tmp_path / "mnt"
        folder.mkdir()
    try:
        done = subprocess.run(
            [*command, str(folder)],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, f"xxx{user}\n"), done.stderr
        assert not os.path.ismount(folder)
    finally:
        folder.rmdir()
