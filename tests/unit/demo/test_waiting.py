# SPDX-License-Identifier: Apache-2.0
"""Waiting asks soon, asks less often later, and gives up at the deadline."""

import pytest

from demo.waiting import LONGEST_INTERVAL, TookTooLong, until


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def test_what_is_already_true_costs_no_wait() -> None:
    clock = Clock()

    assert until("it", lambda: "yes", seconds=5, sleep=clock.sleep, clock=clock) == "yes"
    assert clock.naps == []


def test_the_intervals_grow_up_to_a_bound_and_the_deadline_is_kept() -> None:
    clock = Clock()

    with pytest.raises(TookTooLong, match="the moon: not within 10 seconds"):
        until("the moon", lambda: None, seconds=10, sleep=clock.sleep, clock=clock)

    assert clock.now == pytest.approx(10)
    assert clock.naps[:-1] == sorted(clock.naps[:-1])
    assert max(clock.naps) == LONGEST_INTERVAL


def test_an_error_of_the_question_passes_through() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        until("it", broken, seconds=1)
