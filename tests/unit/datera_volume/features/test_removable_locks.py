# SPDX-License-Identifier: Apache-2.0
"""A lock whose file is removed excludes whoever waited for it none the less."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datera_volume.features import removable_locks

pytestmark = pytest.mark.release

NAME = "datera-OS-image-6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
HOLD = """
import sys, fasteners
lock = fasteners.InterProcessLock(sys.argv[1])
print(lock.acquire(blocking=False), flush=True)
sys.stdin.readline()
"""


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Inside, a process has tried to take the lock, and holds it if it could."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.communicate("\n")


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def has_open(path: Path) -> bool:
    """Whether this process has that file open."""
    for link in Path("/proc/self/fd").iterdir():
        try:
            if link.resolve() == path:
                return True
        except OSError:
            continue
    return False


def test_who_waited_for_a_file_that_was_removed_holds_the_one_that_others_find(
    coordinated: Path,
) -> None:
    path = coordinated / f"test-{NAME}"
    has_it, done = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with removable_locks.held(NAME, 30):
            has_it.set()
            done.wait(30)

    waiter = threading.Thread(target=wait_for_it)
    with another_process(path) as holder:
        assert said(holder) == "True"
        waiter.start()
        deadline = time.monotonic() + 30
        while not has_open(path) and time.monotonic() < deadline:
            pass
        path.unlink()
    try:
        assert has_it.wait(30)
        with another_process(path) as newcomer:
            assert said(newcomer) == "False"
    finally:
        done.set()
        waiter.join()


def test_who_holds_a_lock_can_remove_its_file(coordinated: Path) -> None:
    path = coordinated / f"test-{NAME}"
    other = path.with_name(f"{path.name}-other")
    other.touch()
    with removable_locks.held(NAME, 30):
        assert path.exists()
        removable_locks.remove(NAME)
    assert not path.exists()
    assert other.exists()
    with removable_locks.held_if_free(NAME) as free:
        assert free


def test_a_lock_that_another_has_is_not_waited_for(coordinated: Path) -> None:
    with another_process(coordinated / f"test-{NAME}") as holder:
        assert said(holder) == "True"
        with removable_locks.held_if_free(NAME) as free:
            assert not free


def test_lock_that_another_keeps_is_given_up_at_the_deadline(coordinated: Path) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    with another_process(coordinated / f"test-{NAME}") as holder:
        assert said(holder) == "True"
        with removable_locks.held(NAME, 3600, sleep=sleep, clock=lambda: now) as free:
            assert not free
    assert 3600 <= now < 3610
