# SPDX-License-Identifier: Apache-2.0
"""Backends are checked side by side, and one that is down holds up nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.errors import BackendDown
from backup_dispatch.health import Health
from tests.fixtures.cinder.patching import EVENTLET

PATIENCE = 30.0
"""Seconds after which a test gives up on a thread: far more than it needs."""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Backend:
    """A check that ends when, and as, the test says."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.amiss: list[str] = []
        self._answers: list[Exception | None] = []
        self._answered = threading.Semaphore(0)

    def answer(self, error: Exception | None = None) -> None:
        self._answers.append(error)
        self._answered.release()

    def __call__(self) -> list[str]:
        self.begun.release()
        assert self._answered.acquire(timeout=PATIENCE)
        error = self._answers.pop(0)
        if error:
            raise error
        return self.amiss


@pytest.fixture
def watch() -> Iterator[Callable[..., Health]]:
    started: list[Health] = []

    def start(
        checks: dict[str, Any], *, deadline: float = PATIENCE, clock: Clock | None = None
    ) -> Health:
        health = Health(checks, deadline=deadline, interval=0.001, clock=clock or Clock())
        health.start()
        started.append(health)
        return health

    yield start
    for health in started:
        health.stop()


def state_of(health: Health, name: str) -> str:
    try:
        health.require(name)
    except BackendDown as error:
        return str(error)
    return "up"


def test_a_backend_that_hangs_delays_nobody_else(watch: Callable[..., Health]) -> None:
    hanging, good = Backend(), Backend()
    clock = Clock()
    health = watch({"ceph": hanging, "swift": good}, clock=clock, deadline=60)
    good.answer()
    assert state_of(health, "swift") == "up"
    clock.now = 61
    assert state_of(health, "ceph") == (
        "Backup backend ceph is down: it has not answered its check for 60 seconds; "
        "look into the service's log"
    )
    hanging.answer()
    # It is up as soon as it answers, however late.
    for _ in range(1000):
        if state_of(health, "ceph") == "up":
            return
        hanging.begun.acquire(timeout=0.01)
    pytest.fail("it never came up")


def test_a_backend_that_fails_is_down_with_its_reason_and_tried_again(
    watch: Callable[..., Health],
) -> None:
    backend = Backend()
    health = watch({"ceph": backend})
    for reason in ("no route", "still no route"):
        assert backend.begun.acquire(timeout=PATIENCE)
        backend.answer(OSError(reason))
    # The third check begins after the second has been noted.
    assert backend.begun.acquire(timeout=PATIENCE)
    assert state_of(health, "ceph") == "Backup backend ceph is down: OSError: still no route"
    backend.answer()
    while state_of(health, "ceph") != "up":
        assert not backend.begun.acquire(timeout=0.01), "it was checked again"


def test_work_waits_for_a_check_that_is_under_way(watch: Callable[..., Health]) -> None:
    backend = Backend()
    health = watch({"ceph": backend})
    states: list[str] = []
    worker = threading.Thread(target=lambda: states.append(state_of(health, "ceph")))
    worker.start()
    assert backend.begun.acquire(timeout=PATIENCE)
    assert not states
    backend.answer()
    worker.join(PATIENCE)
    assert states == ["up"]


def test_what_is_up_is_not_checked_again(watch: Callable[..., Health]) -> None:
    backend = Backend()
    health = watch({"ceph": backend})
    backend.answer()
    assert state_of(health, "ceph") == "up"
    assert backend.begun.acquire(timeout=PATIENCE)
    assert not backend.begun.acquire(timeout=0.05)


def test_nothing_is_checked_after_the_end(watch: Callable[..., Health]) -> None:
    backend = Backend()
    health = watch({"ceph": backend})
    assert backend.begun.acquire(timeout=PATIENCE)
    health.stop()
    backend.answer(OSError("gone"))
    assert not backend.begun.acquire(timeout=0.05)


def test_late_answer_after_the_end_is_told_to_nobody(
    watch: Callable[..., Health], caplog: pytest.LogCaptureFixture
) -> None:
    backends = {"ceph": Backend(), "swift": Backend()}
    former = watch(backends)
    for backend in backends.values():
        assert backend.begun.acquire(timeout=PATIENCE)
    former.stop()
    backends["ceph"].answer(OSError("gone"))
    backends["swift"].amiss.append("nearly full")
    backends["swift"].answer()
    # Whoever still asks the former one gets its answer.
    assert state_of(former, "swift") == "up"
    assert state_of(former, "ceph") == "Backup backend ceph is down: OSError: gone"
    assert caplog.messages == []


def test_backend_with_a_flaw_is_up_and_the_log_says_what_is_amiss(
    watch: Callable[..., Health], caplog: pytest.LogCaptureFixture
) -> None:
    backend = Backend()
    backend.amiss.append("nearly full")
    backend.answer()
    assert state_of(watch({"ceph": backend}), "ceph") == "up"
    assert caplog.messages == ["Backup backend ceph: nearly full"]


IN_GREEN_THREADS = """
from tests.fixtures.cinder.patching import patch
patch()
import pytest, sys
sys.exit(pytest.main(["-p", "no:cacheprovider", "-p", "no:xdist", "-q", sys.argv[1]]))
"""


@pytest.mark.skipif("IN_GREEN_THREADS" in os.environ, reason="we are in there already")
def test_all_of_this_holds_in_cinders_eventlet_mode() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_GREEN_THREADS, str(Path(__file__))],
        env={**os.environ, **EVENTLET, "IN_GREEN_THREADS": "yes"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert ".......s" in done.stdout
