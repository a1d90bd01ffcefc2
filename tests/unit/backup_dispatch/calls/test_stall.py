# SPDX-License-Identifier: Apache-2.0
"""Waiting for a call that may never return."""

from __future__ import annotations

import contextvars
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oslo_context import context as oslo_context

from backup_dispatch.calls.stall import Abandoned, Clock, Operation, Sight, Wait
from backup_dispatch.errors import FAIL_REASON_LIMIT, BackendStalled

HOUR = 3600.0


class Steps(Clock):
    """A clock that goes on by what is waited; before each wait something may happen."""

    def __init__(self, *before: Callable[[], None]) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self._before = list(before)

    def now(self) -> float:
        return self.seconds

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if not self._before:
            return event.wait(10)
        self._before.pop(0)()
        self.waits.append(seconds)
        self.seconds += seconds
        return event.is_set()


@pytest.fixture(autouse=True)
def nothing_left_running() -> Iterator[None]:
    """No late thread speaks into the next test."""
    yield
    join_late_threads()


def join_late_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "backup b at east":
            thread.join(10)


def nothing() -> None:
    """Nothing happens before this wait."""


def hanging(sight: Sight, clock: Clock) -> tuple[Operation, threading.Event, Callable[[], str]]:
    operation, answer = Operation("backup b", "east", sight, clock), threading.Event()

    def call() -> str:
        assert answer.wait(10)
        return "late"

    return operation, answer, call


def waiting(operation: Operation, clock: Clock, **more: Any) -> Wait[Any]:
    return Wait[Any](operation, timeout=HOUR, clock=clock, **more)


def test_ordinary_call_comes_through_with_its_result() -> None:
    clock = Clock()
    operation = Operation("backup b", "east", Sight.ALL, clock)
    assert waiting(operation, clock).run(lambda: "result") == "result"
    assert not operation.abandon()


def test_ordinary_error_comes_through_with_its_traceback() -> None:
    def failing() -> None:
        raise ValueError("no route")

    clock = Clock()
    with pytest.raises(ValueError, match="no route") as caught:
        waiting(Operation("backup b", "east", Sight.ALL, clock), clock).run(failing)
    assert "failing" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_backends_thread_has_the_callers_contexts_and_is_no_hindrance_to_an_end() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("mine")
    mine = oslo_context.RequestContext(request_id="req-mine")
    mine.update_store()
    seen: list[Any] = []

    def look() -> None:
        thread = threading.current_thread()
        seen.extend((variable.get(), oslo_context.get_current(), thread.daemon, thread.name))

    clock = Clock()
    waiting(Operation("backup b", "east", Sight.ALL, clock), clock).run(look)
    assert seen == ["mine", mine, True, "backup b at east"]


def test_silent_operation_is_ended_exactly_at_the_time_out() -> None:
    clock = Steps(*[nothing] * 5)
    operation, answer, call = hanging(Sight.ALL, clock)
    ended: list[BackendStalled] = []
    with pytest.raises(BackendStalled) as caught:
        waiting(operation, clock, stalled=ended.append).run(call)
    assert clock.seconds == HOUR
    assert ended == [caught.value]
    assert len(str(caught.value)) <= FAIL_REASON_LIMIT
    with pytest.raises(Abandoned):
        operation.moved("reading the volume")
    answer.set()


def test_progress_begins_the_time_anew() -> None:
    clock = Steps(*[nothing] * 4, lambda: operation.moved("reading"), *[nothing] * 5)
    operation, answer, call = hanging(Sight.ALL, clock)
    with pytest.raises(BackendStalled, match="'reading'"):
        waiting(operation, clock).run(call)
    assert HOUR < clock.seconds == sum(clock.waits)
    assert clock.seconds - HOUR == sum(clock.waits[:4])
    answer.set()


def test_operation_that_comes_into_sight_is_ended_at_a_short_time_out_too() -> None:
    clock = Steps(lambda: operation.moved("reading the volume"), nothing)
    operation, answer, call = hanging(Sight.MOVES, clock)
    with pytest.raises(BackendStalled):
        Wait[Any](operation, timeout=25, clock=clock).run(call)
    assert clock.waits[0] == 25
    assert clock.seconds <= 50
    answer.set()


@pytest.mark.parametrize("sight", [Sight.MOVES, Sight.FIRST_MOVES])
def test_operation_out_of_sight_is_only_told_of(
    sight: Sight, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Steps(*[nothing] * 12)
    operation, answer, call = hanging(sight, clock)
    operation.moved("reading the volume")
    operation.lost_sight()
    clock._before.append(answer.set)
    assert waiting(operation, clock).run(call) == "late"
    # A thread that another test has given up may tell of its end meanwhile.
    told = [one for one in caplog.messages if " waits for " in one]
    assert [one.split(" ago")[0].rsplit(", ", 1)[1] for one in told[:5]] == [
        "5 minutes", "10 minutes", "20 minutes", "40 minutes", "80 minutes",
    ]  # fmt: skip
    assert clock.seconds > 2 * HOUR


def test_only_a_known_drivers_operation_comes_into_sight_again() -> None:
    known = Operation("backup b", "east", Sight.MOVES, Clock())
    other = Operation("backup b", "east", Sight.FIRST_MOVES, Clock())
    for operation in (known, other):
        assert not operation.seen
        operation.lives("seeking")
        assert not operation.seen
        operation.moved("reading the volume")
        assert operation.seen
        operation.lost_sight()
        operation.moved("reading the volume")
    assert (known.seen, other.seen) == (True, False)


def test_call_of_the_volume_is_refused_or_waited_for_whenever_it_begins() -> None:
    waited_for: list[bool] = []

    class Ending(Clock):
        def now(self) -> float:
            if begun:
                # The call was not refused; the next moment the operation is abandoned.
                operation.abandon()
                waited_for.append(operation.waits_for_the_volume)
            return 0.0

    begun: list[bool] = []
    operation = Operation("backup b", "east", Sight.ALL, Ending())
    begun.append(True)
    with pytest.raises(Abandoned), operation.using_the_volume("writing the volume"):
        pass
    assert waited_for == [True]
    assert not operation.waits_for_the_volume
    with pytest.raises(Abandoned), operation.using_the_volume("writing the volume"):
        raise AssertionError("it was not refused")
    assert not operation.waits_for_the_volume


def test_answer_in_the_moment_of_the_time_out_counts() -> None:
    clock = Steps(*[nothing] * 5)
    operation = Operation("backup b", "east", Sight.ALL, clock)
    abandon = operation.abandon

    def answered_just_before() -> bool:
        answer.set()
        join_late_threads()
        return abandon()

    operation.abandon = answered_just_before  # type: ignore[method-assign]
    answer = threading.Event()

    def call() -> str:
        assert answer.wait(10)
        return "in time"

    assert waiting(operation, clock).run(call) == "in time"


def test_late_end_is_told_of_in_the_backends_thread() -> None:
    clock = Steps(*[nothing] * 5)
    operation, answer, call = hanging(Sight.ALL, clock)
    told_in: list[str] = []

    def tell() -> None:
        told_in.append(threading.current_thread().name)

    with pytest.raises(BackendStalled):
        waiting(operation, clock, too_late=tell).run(call)
    assert not told_in
    answer.set()
    join_late_threads()
    assert told_in == ["backup b at east"]
