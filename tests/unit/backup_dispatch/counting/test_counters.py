# SPDX-License-Identifier: Apache-2.0
"""The counts of one process."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from backup_dispatch.counting.counters import FAILED, OK, STALLED, Counters, reason_name
from backup_dispatch.counting.figures import READ, STORED
from backup_dispatch.errors import BackendDown

WORK = ("backup", "ceph")


def failed(_error: BaseException) -> str:
    return FAILED


def clock_of(*moments: float) -> Callable[[], float]:
    left = iter(moments)
    return lambda: next(left)


def test_an_operation_counts_when_it_ends_and_its_bytes_meanwhile() -> None:
    counters = Counters(clock_of(10.0, 17.5))
    with counters.operation(*WORK, failed) as one:
        one.saw(READ, 100)
        one.told = lambda: {STORED: 40}
        during = counters.snapshot()
        one.saw(READ, 100)
    after = counters.snapshot()
    assert (during.running, during.ended) == ({WORK: 1}, {})
    assert during.figures == {WORK: {READ: 100, STORED: 40}}
    assert (after.running, after.ended) == ({}, {(*WORK, OK): 1})
    assert after.figures == {WORK: {READ: 200, STORED: 40}}
    assert after.seconds == {WORK: 7.5}


def test_what_a_driver_reports_goes_before_what_was_seen() -> None:
    counters = Counters()
    with counters.operation(*WORK, failed) as one:
        one.saw(READ, 1)
        one.told = lambda: {READ: 50}
    assert counters.snapshot().figures == {WORK: {READ: 50}}


def test_an_operation_that_raises_counts_as_its_error_says() -> None:
    counters = Counters()

    def fail(outcome: str) -> None:
        with counters.operation(*WORK, lambda _error: outcome):
            raise OSError("gone")

    for outcome in (FAILED, STALLED):
        with pytest.raises(OSError, match="gone"):
            fail(outcome)
    assert counters.snapshot().ended == {(*WORK, FAILED): 1, (*WORK, STALLED): 1}


def test_a_driver_whose_figures_fail_ends_no_operation() -> None:
    def told() -> dict[str, float]:
        raise ZeroDivisionError

    counters = Counters()
    with counters.operation(*WORK, failed) as one:
        one.told = told
        one.saw(READ, 3)
        assert counters.snapshot().figures == {WORK: {READ: 3}}
    assert counters.snapshot().ended == {(*WORK, OK): 1}


def test_no_operation_of_many_threads_is_lost() -> None:
    counters = Counters()

    def work() -> None:
        for _ in range(200):
            with counters.operation(*WORK, failed) as one:
                one.saw(READ, 1)
            counters.refused("backup", "backend_down")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = counters.snapshot()
    assert counts.ended == {(*WORK, OK): 1600}
    assert counts.figures == {WORK: {READ: 1600}}
    assert counts.refused == {("backup", "backend_down"): 1600}


def test_a_refusal_is_named_after_its_error() -> None:
    assert reason_name(BackendDown("ceph", "no monitor")) == "backend_down"
