# SPDX-License-Identifier: Apache-2.0
"""The order of items, the bound on them, and that nobody is left waiting."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from datera_backup.engine.pipeline.conveyor import Conveyor, Stopped


def run(*roles: Callable[[], None]) -> list[BaseException]:
    """Run each in a thread of its own to its end; return what they raised."""
    raised: list[BaseException] = []

    def guard(role: Callable[[], None]) -> None:
        try:
            role()
        except BaseException as exc:
            raised.append(exc)

    threads = [threading.Thread(target=guard, args=(role,), daemon=True) for role in roles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return raised


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_items_leave_the_conveyor_in_their_order(depth: int, count: int) -> None:
    conveyor: Conveyor[int] = Conveyor(depth)
    got: list[int] = []
    under_way = [0]
    most = [0]

    def produce() -> None:
        rng = random.Random(depth)
        for number in range(count):
            conveyor.admit()
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
            assert conveyor.place() == number
            conveyor.hand_on(number, number, needs_work=rng.random() < 0.7)
        conveyor.close()

    def work() -> None:
        while (taken := conveyor.take()) is not None:
            conveyor.done(*taken)

    def consume() -> None:
        while (item := conveyor.next()) is not None:
            got.append(item)
            under_way[0] -= 1
            conveyor.finished()

    assert run(produce, work, work, work, consume) == []
    assert got == list(range(count))
    assert most[0] <= depth


def test_stop_wakes_everybody() -> None:
    conveyor: Conveyor[int] = Conveyor(1)
    conveyor.admit()
    waiting = [conveyor.admit, conveyor.take, conveyor.next]
    started = threading.Barrier(len(waiting) + 1)

    def wait_in(role: Callable[[], object]) -> Callable[[], None]:
        def waiter() -> None:
            started.wait(30)
            role()

        return waiter

    def stop() -> None:
        started.wait(30)
        conveyor.stop()

    raised = run(*(wait_in(role) for role in waiting), stop)
    assert [type(exc) for exc in raised] == [Stopped] * len(waiting)
    with pytest.raises(Stopped):
        conveyor.place()
