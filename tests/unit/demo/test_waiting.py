# SPDX-License-Identifier: Apache-2.0
"""Waiting asks soon, asks less often later, and gives up at the deadline."""

from collections.abc import Callable

import pytest

from demo.servers.processes import ServerFailed
from demo.waiting import LONGEST_INTERVAL, NotYet, Permanent, TookTooLong, until


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


def waited_for(answer: Callable[[], object]) -> object:
    """What comes of waiting ten seconds for the moon."""
    clock = Clock()
    return until("the moon", answer, seconds=10, sleep=clock.sleep, clock=clock)


def raising(*errors: Exception) -> Callable[[], str]:
    """A question that raises these, one after the other, and is answered then."""
    left = list(errors)

    def answer() -> str:
        if left:
            raise left.pop(0)
        return "up"

    return answer


def never(error: Exception) -> Callable[[], None]:
    """A question that always raises this."""

    def answer() -> None:
        raise error

    return answer


def test_a_condition_that_holds_already_costs_no_wait() -> None:
    clock = Clock()

    assert until("it", lambda: "yes", seconds=5, sleep=clock.sleep, clock=clock) == "yes"
    assert clock.naps == []


def test_the_intervals_grow_up_to_a_bound_and_the_deadline_is_kept() -> None:
    clock = Clock()

    with pytest.raises(TookTooLong, match=r"^the moon: not within 10 seconds$"):
        until("the moon", lambda: None, seconds=10, sleep=clock.sleep, clock=clock)

    assert clock.now == pytest.approx(10)
    assert clock.naps[:-1] == sorted(clock.naps[:-1])
    assert max(clock.naps) == LONGEST_INTERVAL


def test_any_error_of_the_question_means_not_yet() -> None:
    errors = (ConnectionRefusedError(), RuntimeError("500"), KeyError("status"), NotYet("down"))

    assert waited_for(raising(*errors)) == "up"


def test_a_missed_deadline_tells_the_last_error() -> None:
    with pytest.raises(
        TookTooLong, match=r"^the moon: not within 10 seconds; last error: OSError: no route$"
    ) as told:
        waited_for(never(OSError("no route")))

    assert isinstance(told.value.__cause__, OSError)


def test_a_missed_deadline_tells_what_was_seen_last() -> None:
    with pytest.raises(
        TookTooLong, match=r"^the moon: not within 10 seconds; last seen: it is creating$"
    ):
        waited_for(never(NotYet("it is creating")))


def test_an_error_that_has_passed_is_not_told() -> None:
    errors = iter([OSError("no route")])

    def answer() -> None:
        for error in errors:
            raise error

    with pytest.raises(TookTooLong, match=r"^the moon: not within 10 seconds$"):
        waited_for(answer)


@pytest.mark.parametrize("error", [Permanent("gone"), ServerFailed("died"), AssertionError("no")])
def test_a_permanent_failure_ends_a_wait_at_once(error: Exception) -> None:
    asked: list[None] = []

    def answer() -> None:
        asked.append(None)
        raise error

    with pytest.raises(type(error)) as raised:
        waited_for(answer)

    assert raised.value is error
    assert len(asked) == 1
