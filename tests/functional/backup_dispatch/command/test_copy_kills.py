# SPDX-License-Identifier: Apache-2.0
"""Runs of ``backup-dispatch copy`` that are killed at seeded moments, and the one after them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends.five_backends import counted, usage_of

pytestmark = pytest.mark.faults

Run = Callable[..., Any]

MIB = 2**20
KILLS = 10

PROGRAM = """
import os, signal, sys
from cinder import objects
objects.register_all()
from backup_dispatch.command.app import CommandApp
from backup_dispatch.command.table import COMMANDS
left = int(sys.argv.pop(1))

# Each line of our own code that runs while backups are copied is a moment to die at.
def trace(frame, event, _argument):
    global left
    if "/jobs/copying/" not in frame.f_code.co_filename:
        return None
    if event == "line":
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return trace

sys.settrace(trace)
code = CommandApp(COMMANDS).run(sys.argv[1:])
sys.settrace(None)
print(left, file=sys.stderr)
sys.exit(code)
"""
LINES = 1_000_000


@pytest.fixture
def cloud(start_cinder: Callable[..., Any], shelf: Path) -> Iterator[Any]:
    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = posix, shelf",
    )
    section = f"[shelf]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
    yield start_cinder(defaults="\n".join(lines), sections=section)
    this_process().stop_checking()


def begun(folder: Path, lines: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, which is killed after so many lines."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(lines), "--config-file", f"{folder}/cinder.conf",
         *arguments],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


def test_a_move_killed_at_seeded_moments_ends_as_one_that_was_not(
    cloud: Any, run: Run, tmp_path: Path, shelf: Path
) -> None:
    arguments = ("copy", "--from", "shelf", "--to", "posix", "--incremental", "--move", "--yes")
    chosen = random.Random(7)
    most = 0
    killed = 0
    volume, onto = cloud.create_volume(1), cloud.create_volume(1)
    for _ in range(KILLS + 1):
        contents = []
        for number in range(3):
            cloud.write(volume, number * MIB, chosen.randbytes(MIB))
            contents.append(cloud.read(volume, 0, 4 * MIB))
            made = cloud.create_backup(volume, "shelf_n", incremental=number > 0)
            assert made.status == "available", made.fail_reason
        if most:
            ended = begun(tmp_path, chosen.randrange(1, most), *arguments)
            assert ended.returncode == -signal.SIGKILL, ended.stderr
            killed += 1
            assert usage_of(cloud) == counted(cloud)
        else:
            ended = begun(tmp_path, LINES, *arguments)
            assert ended.returncode == 0, ended.stderr
            most = LINES - int(ended.stderr.split()[-1])
        assert run(*arguments).code == 0
        backups = sorted(cloud.backups.get_all(cloud.context), key=lambda one: one.data_timestamp)
        assert [one.status for one in backups] == ["available"] * 3
        assert [one.num_dependent_backups for one in backups] == [1, 1, 0]
        for backup, content in zip(backups, contents, strict=True):
            assert cloud.read(cloud.restore_backup(backup, onto), 0, 4 * MIB) == content
        for backup in reversed(backups):
            assert cloud.delete_backup(backup) is None
        assert usage_of(cloud) == counted(cloud)
        for folder in (shelf, tmp_path / "posix"):
            assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert killed == KILLS
