# SPDX-License-Identifier: Apache-2.0
"""Calls that are made side by side: their order, their answers, and that nobody is left waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from datera_backup.engine.pipeline.ahead import read_ahead
from datera_backup.engine.pipeline.conveyor import Stopped
from datera_backup.engine.pipeline.requests import Answer, Requests
from datera_backup.engine.pipeline.writes import Writes


class Served:
    """Requests with threads that serve them, and what ended those threads.

    A failure stops the requests, as a job has it.
    """

    def __init__(self, threads: int) -> None:
        self.requests = Requests()
        self.ended_by: list[BaseException] = []
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _serve(self) -> None:
        try:
            self.requests.serve()
        except BaseException as exc:
            self.ended_by.append(exc)
            self.requests.stop()


@contextmanager
def served(threads: int) -> Iterator[Served]:
    one = Served(threads)
    try:
        yield one
    finally:
        one.requests.stop()
        for thread in one.threads:
            thread.join(30)
            assert not thread.is_alive()


class Crowd:
    """A call that ends only when so many are being made at once."""

    def __init__(self, size: int) -> None:
        self._barrier = threading.Barrier(size)

    def __call__(self) -> None:
        self._barrier.wait(30)


def test_as_many_calls_are_made_at_once_as_there_are_threads() -> None:
    with served(4) as one:
        crowd = Crowd(4)
        for _ in range(8):
            one.requests.ask(crowd)
        one.requests.wait()
    assert {type(exc) for exc in one.ended_by} == {Stopped}


def test_one_thread_makes_urgent_calls_first_and_all_others_in_their_order() -> None:
    made: list[str] = []
    held, opened = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert opened.wait(30)

    def call(name: str) -> Callable[[], None]:
        return lambda: made.append(name)

    with served(1) as one:
        one.requests.ask(hold)
        assert held.wait(30)
        for name in "abc":
            one.requests.ask(call(name))
        for name in "xy":
            one.requests.ask(call(name), urgent=True)
        opened.set()
        one.requests.wait()
    assert made == ["x", "y", "a", "b", "c"]


def test_answers_are_those_of_their_calls() -> None:
    with served(3) as one:
        answers = [one.requests.ask(lambda n=n: n * n) for n in range(50)]  # type: ignore[misc]
        assert [one.requests.wait_for(answer) for answer in answers] == [n * n for n in range(50)]


def test_what_a_call_raises_ends_its_thread_and_all_who_wait() -> None:
    def fail() -> None:
        raise OSError("no more")

    with served(2) as one:
        answer = one.requests.ask(fail)
        with pytest.raises(Stopped):
            one.requests.wait_for(answer)
        with pytest.raises(Stopped):
            one.requests.wait()
        with pytest.raises(Stopped):
            one.requests.ask(fail)
    assert [type(exc) for exc in one.ended_by if not isinstance(exc, Stopped)] == [OSError]


def test_reading_ahead_keeps_the_order_and_its_bound() -> None:
    asked: list[int] = []
    with served(3) as one:

        def call_for(key: int) -> Callable[[], int] | None:
            asked.append(key)
            return None if key % 3 == 0 else lambda: key * 10

        got = []
        for key, value in read_ahead(one.requests, range(40), call_for, 4):
            got.append((key, value))
            # Those that cost no call do not count: two of three do.
            assert len(asked) <= key + 1 + 8
    assert got == [(n, None if n % 3 == 0 else n * 10) for n in range(40)]


def test_reading_ahead_has_several_calls_under_way() -> None:
    crowd = Crowd(4)
    with served(4) as one:
        keys = [key for key, _ in read_ahead(one.requests, range(8), lambda _: crowd, 4)]
    assert keys == list(range(8))


def test_keys_without_calls_are_not_gathered_for_ever() -> None:
    seen = iter(range(10**9))
    with served(1) as one:
        first, _ = next(read_ahead(one.requests, seen, lambda _: None, 4))
    assert first == 0
    assert next(seen) < 5000


def test_writes_are_told_of_in_their_order_however_they_end() -> None:
    told: list[int] = []
    first_ends = threading.Event()
    with served(3) as one:
        writes = Writes(one.requests, 3)

        def write(number: int) -> Callable[[], None]:
            def made() -> None:
                if number:
                    first_ends.set()
                else:
                    assert first_ends.wait(30)

            return made

        for number in range(9):
            writes.put(write(number), lambda number=number: told.append(number))  # type: ignore[misc]
            assert told == list(range(len(told)))
            assert len(told) >= number - 2
        writes.wait()
    assert told == list(range(9))


def test_no_more_writes_are_under_way_than_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write ends only once somebody waits for it, and all have a thread of their own."""
    under_way: list[threading.Event] = []
    counts = []

    with served(8) as one:
        wait_for = one.requests.wait_for

        def end_first(answer: Answer[None]) -> None:
            under_way.pop(0).set()
            wait_for(answer)

        monkeypatch.setattr(one.requests, "wait_for", end_first)
        writes = Writes(one.requests, 2)
        for _ in range(8):
            may_end = threading.Event()
            under_way.append(may_end)
            writes.put(lambda may_end=may_end: may_end.wait(30))  # type: ignore[misc]
            counts.append(len(under_way))
        writes.wait()
    assert counts == [1, *[2] * 7]


def test_a_write_that_fails_is_waited_for_by_nobody() -> None:
    def fail() -> None:
        raise OSError("no more")

    told: list[int] = []
    with served(2) as one:
        writes = Writes(one.requests, 2)
        writes.put(fail, lambda: told.append(1))
        with pytest.raises(Stopped):
            writes.wait()
    assert told == []


def test_writes_without_others_are_made_by_who_puts_them() -> None:
    makers: list[int] = []
    writes = Writes(Requests(), 0)
    writes.put(lambda: makers.append(threading.get_ident()))
    writes.wait()
    assert makers == [threading.get_ident()]
