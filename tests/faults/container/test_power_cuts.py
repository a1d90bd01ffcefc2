# SPDX-License-Identifier: Apache-2.0
"""Whenever the power goes, what was committed is whole and what was not says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datera_backup.container import LOG_START
from tests.fixtures.containers.journal import Loss
from tests.fixtures.faults.extent import amount, chance, portion
from tests.fixtures.faults.power_cuts import History, PowerIsBack, key, whole_history

STATES = "power cut states"


@pytest.fixture(scope="module")
def history() -> History:
    return whole_history()


def cuts(history: History, small: int, brief: int) -> list[int]:
    """Return after how many events the power goes."""
    return portion(range(len(history.journal.events) + 1), "cuts", small=small, brief=brief)


def test_power_cut_after_any_event_leaves_what_was_committed(
    history: History, tally: Callable[[str, int], None]
) -> None:
    times = amount(small=1, brief=4, whole=50)
    seen = set()
    for count in cuts(history, small=12, brief=80):
        for loss in Loss:
            for number in range(1 if loss is Loss.NOTHING else times):
                rng = chance("power cut", count, loss, number)
                devices = history.journal.after_power_cut(count, rng, loss)
                state = key(devices), history.bounds(count)
                if state in seen:
                    continue
                seen.add(state)
                back = PowerIsBack(devices, history, count)
                back.everything_is_there()
                if rng.random() < 0.02:
                    back.everything_can_be_salvaged()
                back.go_on(back.everything_is_there)
                if rng.random() < 0.04:
                    back.everything_restores()
                if rng.random() < 0.2:
                    back.drop_all(rng, back.everything_is_there)
    tally(STATES, len(seen))


def test_second_power_cut_while_the_first_is_dealt_with_leaves_the_same(
    history: History, tally: Callable[[str, int], None]
) -> None:
    times = amount(small=8, brief=20, whole=70)
    seen = set()
    for count in cuts(history, small=2, brief=12):
        for first in (Loss.LAST_TORN, Loss.REORDERED, Loss.TORN):
            rng = chance("first power cut", count, first)
            devices = history.journal.after_power_cut(count, rng, first)
            back = PowerIsBack(devices, history, count)
            back.go_on(lambda: None)
            if back.now.alive:
                back.now.drop(rng.choice(sorted(back.now.alive)))
            events = range(len(back.now.journal.events) + 1)
            for again in rng.sample(events, min(times, len(events))):
                rng = chance("second power cut", count, first, again)
                devices = back.now.journal.after_power_cut(again, rng, rng.choice([*Loss]))
                state = key(devices), back.now.bounds(again)
                if state in seen:
                    continue
                seen.add(state)
                twice = PowerIsBack(devices, back.now, again)
                twice.everything_is_there()
                if rng.random() < 0.2:
                    twice.go_on(twice.everything_is_there)
                    twice.drop_all(rng, lambda: None)
    tally(STATES, len(seen))
    tally("of them, of a second power cut", len(seen))


def test_superblock_is_written_when_all_before_is_durable_and_flushed_itself(
    history: History,
) -> None:
    for number in range(2):
        # Where what is discarded is dead already, it does not matter when.
        events = [
            event
            for event in history.journal.events
            if event.device == number and not isinstance(event.data, int)
        ]
        slots = [
            at
            for at, event in enumerate(events)
            if event.data is not None and event.offset < LOG_START
        ]
        assert len(slots) > 20
        for at in slots:
            assert at == 0 or events[at - 1].data is None
            assert events[at + 1].data is None
