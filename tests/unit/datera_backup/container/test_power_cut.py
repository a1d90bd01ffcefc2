# SPDX-License-Identifier: Apache-2.0
"""Whenever the power goes, what was committed is whole and what was not says so."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import (
    LOG_START,
    BackupNotInContainer,
    BackupReader,
    BackupUncommitted,
    Container,
    LayoutDamaged,
    NotAContainer,
    Spot,
)
from tests.fixtures.containers.devices import JournalDevice, MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    TickingClock,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    restore,
    some_bytes,
    verify,
)

pytestmark = pytest.mark.faults

FIRST = some_bytes(1, 12 * BLOCK)
DATA = {1: FIRST}
for _n in range(2, 6):
    DATA[_n] = changed(DATA[_n - 1], _n, 3)
ELSEWHERE = changed(FIRST, 7, 3)


class History:
    """What a device went through, and what had to be there after each event.

    :ivar other: a container whose only backup has blocks on the device, from ``since`` events on.
    """

    def __init__(self) -> None:
        self.device = JournalDevice(48 << 20)
        # After how many events which backups are committed, and which may be.
        self.certain: list[tuple[int, set[int]]] = []
        self.other = new_container(100)
        self.since = 0

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
    """Three generations of a chain whose first goes, damage that is mended, and a range used again.

    A child in another container lives all the while.
    """
    past = History()
    container = Container.format(past.device, identifier(1), clock=TickingClock())
    past.note(set())
    parent = back_up(container, 1, DATA[1])
    past.note({1})
    back_up(past.other, 50, ELSEWHERE, parent)
    past.since = len(past.device.events)
    parent = back_up(container, 2, DATA[2], parent)
    past.note({1, 2})
    back_up(container, 3, DATA[3], parent)
    past.note({1, 2, 3})
    container.drop(identifier(1), [past.other])
    past.note({2, 3})
    where = parent.manifest_ref(0)
    assert where is not None
    container.remember([Spot(container.id, where.offset, BLOCK)])
    past.note({2, 3})
    past.device.pwrite(where.offset + 140, bytes(4))
    past.device.flush()
    past.note({2, 3})
    assert verify(parent) == []
    assert container.copies.faulty == (where.offset,)
    container.repair()
    past.note({2, 3})
    container.drop(identifier(3), [past.other])
    past.note({2})
    back_up(container, 4, DATA[4], parent)
    past.note({2, 4})
    container.drop(identifier(2), [past.other])
    past.note({4})
    back_up(container, 5, DATA[5], BackupReader(container, identifier(4)))
    past.note({4, 5})
    return past


def check(device: MemoryDevice, history: History, count: int) -> None:
    must, can = history.bounds(count)
    try:
        container = Container.open(device, identifier(1), clock=TickingClock())
    except (NotAContainer, LayoutDamaged):
        assert count < history.certain[0][0], "a formatted container was lost"
        return
    other = Container.open(memory_of(history.other).copy(), clock=TickingClock())
    found = {backup.int - identifier(0).int for backup in container.committed}
    assert must <= found <= can
    contents = {number: DATA[number] for number in found}

    def all_is_there() -> None:
        for number, data in contents.items():
            assert restore(container, number) == data
        if count >= history.since:
            assert restore(other, 50, [container]) == ELSEWHERE

    all_is_there()
    for number in DATA.keys() - found:
        with pytest.raises((BackupUncommitted, BackupNotInContainer)):
            container.commit_of(identifier(number))
    # And it goes on from there: what was interrupted is finished, and what was left written over.
    chain = [other] if count >= history.since else []
    container.reclaim(chain)
    container.repair()
    all_is_there()
    contents[9] = some_bytes(count, 5 * BLOCK)
    back_up(container, 9, contents[9])
    all_is_there()
    for number in sorted(found):
        del contents[number]
        container.drop(identifier(number), chain)
        all_is_there()


@pytest.mark.parametrize("seed", range(3))
def test_power_cut_after_every_write_leaves_a_readable_container(
    history: History, seed: int
) -> None:
    rng = random.Random(seed)
    for count in range(len(history.device.events) + 1):
        check(history.device.after_power_cut(count, rng), history, count)


def test_the_journal_shows_flushes_in_the_right_places(history: History) -> None:
    """A superblock is written only when all before it is durable, and flushed itself."""
    # Where what is discarded is dead already, it does not matter when.
    events = [event for event in history.device.events if not (event and type(event[1]) is int)]
    assert len(events) < len(history.device.events)
    slots = [n for n, event in enumerate(events) if event is not None and event[0] < LOG_START]
    # To begin and to commit; a drop in two steps, or in three where all of a range goes.
    assert len(slots) == 2 * (1 + 5 * 2 + 1 + 2 + 3 + 3)
    for number in slots:
        assert number == 0 or events[number - 1] is None
        assert events[number + 1] is None
