# SPDX-License-Identifier: Apache-2.0
"""Whenever the power goes, what was committed is whole and what was not says so."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import (
    BackupNotInContainer,
    BackupUncommitted,
    Container,
    LayoutDamaged,
    NotAContainer,
)
from tests.fixtures.devices import JournalDevice, MemoryDevice
from tests.fixtures.moving import (
    BLOCK,
    TickingClock,
    back_up,
    changed,
    identifier,
    restore,
    some_bytes,
)

FIRST = some_bytes(1, 12 * BLOCK)
DATA = {1: FIRST, 2: changed(FIRST, 2, 3), 3: changed(FIRST, 3, 3), 4: changed(FIRST, 4, 5)}


class History:
    """What a device went through, and what had to be there after each event."""

    def __init__(self) -> None:
        self.device = JournalDevice(4 << 20)
        # After how many events which backups are committed, and which may be.
        self.certain: list[tuple[int, set[int]]] = []

    def note(self, alive: set[int]) -> None:
        self.certain.append((len(self.device.events), alive))

    def bounds(self, count: int) -> tuple[set[int], set[int]]:
        """Return what must, and what can, be committed after ``count`` events."""
        before = [alive for at, alive in self.certain if at <= count]
        after = [alive for at, alive in self.certain if at > count]
        now = before[-1] if before else set()
        then = after[0] if after else now
        return now & then, now | then


@pytest.fixture(scope="module")
def history() -> History:
    """Two generations of a chain, a drop, a reuse of its range, and all dropped."""
    past = History()
    container = Container.format(past.device, identifier(1), clock=TickingClock())
    past.note(set())
    parent = back_up(container, 1, DATA[1])
    past.note({1})
    back_up(container, 2, DATA[2], parent)
    past.note({1, 2})
    container.drop(identifier(2))
    past.note({1})
    back_up(container, 3, DATA[3], parent)
    past.note({1, 3})
    back_up(container, 4, DATA[4], parent)
    past.note({1, 3, 4})
    container.drop(identifier(3))
    past.note({1, 4})
    return past


def check(device: MemoryDevice, history: History, count: int) -> None:
    must, can = history.bounds(count)
    try:
        container = Container.open(device, identifier(1), clock=TickingClock())
    except (NotAContainer, LayoutDamaged):
        assert count < history.certain[0][0], "a formatted container was lost"
        return
    found = {backup.int - identifier(0).int for backup in container.committed}
    assert must <= found <= can
    for number in found:
        assert restore(container, number) == DATA[number]
    for number in DATA.keys() - found:
        with pytest.raises((BackupUncommitted, BackupNotInContainer)):
            container.commit_of(identifier(number))
    # And it goes on from there, over what was left behind.
    new = some_bytes(count, 5 * BLOCK)
    back_up(container, 9, new)
    for number in found:
        assert restore(container, number) == DATA[number]
    assert restore(container, 9) == new


@pytest.mark.parametrize("seed", range(3))
def test_after_every_event(history: History, seed: int) -> None:
    rng = random.Random(seed)
    for count in range(len(history.device.events) + 1):
        check(history.device.after_power_cut(count, rng), history, count)


def test_the_journal_shows_flushes_in_the_right_places(history: History) -> None:
    """A superblock is written only when all before it is durable, and flushed itself."""
    events = history.device.events
    slots = [n for n, event in enumerate(events) if event is not None and event[0] < (2 << 20)]
    assert len(slots) == 2 * (1 + 4 * 2 + 2)
    for number in slots:
        assert number == 0 or events[number - 1] is None
        assert events[number + 1] is None
