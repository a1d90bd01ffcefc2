# SPDX-License-Identifier: Apache-2.0
"""A parent is dropped while its children live: they lose nothing, and the device gets room back."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import Container, EntryState, Geometry, Remains
from datera_backup.container.format.log_record import COMMIT, places
from tests.fixtures.containers.devices import FailAt, FailingDevice, MemoryDevice
from tests.fixtures.containers.fed_chains import Chain, a_block, a_volume, store, volume_of
from tests.fixtures.containers.metadata import records_of
from tests.fixtures.containers.moving import (
    BLOCK,
    SMALL,
    TickingClock,
    identifier,
    memory_of,
    new_container,
    reopened,
)

ONE_EACH = Geometry(BLOCK, BLOCK)
LARGE = Geometry(16 * BLOCK, 4 * 16 * BLOCK)


def changed(rng: random.Random, volume: list[bytes | None], blocks: int) -> list[bytes | None]:
    new = list(volume)
    for at in rng.sample(range(len(new)), blocks):
        new[at] = a_block(rng, BLOCK) if rng.random() < 0.7 else None
    return new


def chain_over(homes: list[int], parents: list[int | None], seed: int = 1) -> Chain:
    """Four backups, each in one of some containers and the child of one before it or of none."""
    rng = random.Random(seed)
    chain = Chain(SMALL, [new_container(100 + n) for n in range(max(homes) + 1)])
    volumes: list[list[bytes | None]] = []
    for number, (home, parent) in enumerate(zip(homes, parents, strict=True)):
        base = a_volume(rng, 30, BLOCK) if parent is None else changed(rng, volumes[parent], 5)
        volumes.append(base)
        chain.store(chain.containers[home], number, base, parent)
    return chain


def drop_in_every_order(chain: Chain, first: int) -> None:
    """Drop one, then the others in every order, until a single backup is left."""
    chain.drop(first)
    chain.forget_containers()
    chain.reopen()
    chain.check()
    if len(chain.living) > 1:
        for number in chain.living:
            drop_in_every_order(chain.copy(), number)


@pytest.mark.parametrize("parents", [[None, 0, 1, 2], [None, 0, 0, 1], [None, 0, 0, 0]])
@pytest.mark.parametrize("homes", [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 2]])
def test_children_live_on_in_whatever_order_the_others_go(
    homes: list[int], parents: list[int | None]
) -> None:
    for first in range(4):
        drop_in_every_order(chain_over(homes, parents), first)


def test_a_backup_in_a_container_that_is_gone_was_between_two_that_live() -> None:
    """Full, child, grandchild, each in a container of its own: the one in the middle is gone."""
    for first, last in ((0, 2), (2, 0)):
        rng = random.Random(3)
        chain = Chain(SMALL, [new_container(100 + n) for n in range(3)])
        volume = a_volume(rng, 30, BLOCK)
        for number in range(3):
            parent = number - 1 if number else None
            chain.store(chain.containers[number], number, volume, parent)
        chain.drop(1)
        chain.forget_containers()
        assert len(chain.containers) == 2
        chain.drop(first)
        assert list(chain.living) == [last]
        chain.check()


@pytest.mark.parametrize("which", range(5))
def test_a_dropped_backup_whose_metadata_is_damaged_takes_nothing_with_it(which: int) -> None:
    chain = chain_over([0, 0], [None, 0])
    home, _ = chain.living[0]
    entry = home.entries[0]
    assert entry.commit is not None
    record = [*records_of(chain.reader(0), entry.commit)][which]
    _, volume = chain.living[1]
    shared = {ref for _, ref in records_of(chain.reader(1), entry.commit)}
    for place in places(record.ref.offset):
        memory_of(home).content.flip(place + 130)
    chain.reopen()
    chain.drop(0)
    if record.ref in shared and record.ref != entry.commit:
        return  # it was the child's as well
    chain.check()
    assert volume == volume_of(chain.containers[0], 1)


@pytest.mark.parametrize("which", range(5))
def test_a_living_backup_whose_metadata_is_damaged_keeps_what_it_may_need(which: int) -> None:
    """Once its metadata can be read again, all of it is there."""
    chain = chain_over([0, 1], [None, 0])
    home, _ = chain.living[1]
    entry = home.entries[0]
    assert entry.commit is not None
    record = [*records_of(chain.reader(1), entry.commit)][which]
    for place in places(record.ref.offset):
        memory_of(home).content.flip(place + 130)
    chain.reopen()
    chain.drop(0)
    for place in places(record.ref.offset):
        memory_of(home).content.flip(place + 130)
    chain.reopen()
    chain.check()


@pytest.mark.parametrize("needed", [False, True])
@pytest.mark.parametrize("discards", [False, True])
def test_no_commit_record_of_a_dropped_backup_can_be_found(needed: bool, discards: bool) -> None:

    class Thick(MemoryDevice):
        def discard(self, offset: int, length: int) -> bool:
            return discards and super().discard(offset, length)

    chain = chain_over([0, 0], [None, 0])
    memory = Thick(content=memory_of(chain.containers[0]).content)
    home = Container.open(memory, clock=TickingClock())
    number = 0 if needed else 1
    before = bytes(memory.content).count(COMMIT)
    del chain.living[number]
    home.drop(identifier(number))
    assert before == 4
    assert bytes(memory.content).count(COMMIT) == 2
    chain.check()


def walk(seed: int) -> None:
    """Begin, commit, abandon and drop at random, in containers that come and go."""
    rng = random.Random(seed)
    geometry = rng.choice([SMALL, ONE_EACH])
    chain = Chain(geometry, [new_container(100)])
    for number in range(rng.randint(6, 14)):
        action = rng.random()
        if action < 0.65 or not chain.living:
            if rng.random() < 0.2:
                chain.containers.append(new_container(1000 + number))
            home = rng.choice(chain.containers)
            parent = rng.choice([*chain.living]) if chain.living and rng.random() < 0.9 else None
            blocks = rng.choice([3, 20, 140])
            volume = a_volume(rng, blocks, BLOCK)
            if parent is not None:
                old = chain.living[parent][1]
                new = changed(rng, old, rng.randrange(min(4, len(old))))
                volume = (new + volume)[: blocks if rng.random() < 0.2 else len(old)]
            if rng.random() < 0.1:
                reader = None if parent is None else chain.reader(parent)
                store(home, number, volume, reader, geometry=geometry, commit=False)
            else:
                chain.store(home, number, volume, parent)
        else:
            chain.drop(rng.choice([*chain.living]))
            chain.check()
        chain.reopen()
        if chain.living and rng.random() < 0.3:
            chain.forget_containers()
    chain.check()
    for number in rng.sample([*chain.living], len(chain.living)):
        chain.drop(number)
        chain.check()
    for container in chain.containers:
        assert not container.committed


@pytest.mark.parametrize("seed", range(0, 80, 20))
def test_random_operations_keep_all_living_backups(seed: int) -> None:
    for each in range(seed, seed + 20):
        walk(each)


def test_what_nobody_needs_is_given_back() -> None:
    """A chain of thirty of which the last seven live takes little more than seven would."""
    rng = random.Random(5)
    size = LARGE.block_size
    volume: list[bytes | None] = [a_block(rng, size) for _ in range(64)]
    many, few = Chain(LARGE, [new_container(100, 256 << 20)]), Chain(LARGE, [new_container(101)])
    for number in range(30):
        for at in rng.sample(range(64), 4):
            volume[at] = a_block(rng, size)
        many.store(many.containers[0], number, volume, number - 1 if number else None)
        if number >= 7:
            many.drop(number - 7)
        if number >= 23:
            few.store(few.containers[0], number, volume, number - 1 if number > 23 else None)
    many.check()
    taken = [memory_of(chain.containers[0]).allocated for chain in (many, few)]
    assert taken[0] <= 1.2 * taken[1], taken
    for number in [*many.living]:
        many.drop(number)
    assert many.containers[0].entries == ()
    assert memory_of(many.containers[0]).allocated <= 4 * BLOCK


def interrupted_drop(chain: Chain, number: int, kinds: tuple[str, ...]) -> set[int]:
    """Drop a backup with every operation failing in turn, each time on the devices as they were.

    Made again it ends as one that was not interrupted. Return at how many operations that was done.
    """
    chain.reopen()
    before = [memory_of(one).copy() for one in chain.containers]
    after: list[MemoryDevice] = []
    done = set()
    for at in range(1000):
        hook = FailAt(*kinds, at=at)
        devices = [device.copy() for device in before]
        failing = [FailingDevice(device, hook) for device in devices]
        opened = [Container.open(device, clock=TickingClock()) for device in failing]
        home = next(one for one in opened if one.id == chain.living[number][0].id)
        try:
            home.drop(identifier(number), opened)
        except OSError:
            done.add(at)
        again = [Container.open(device, clock=TickingClock()) for device in devices]
        home = next(one for one in again if one.id == home.id)
        for other, (where, volume) in chain.living.items():
            if other != number:
                there = next(one for one in again if one.id == where.id)
                assert volume_of(there, other, again) == volume
        states = {entry.backup_id: entry.state for entry in home.entries}
        if states.get(identifier(number), EntryState.DEAD) is not EntryState.DEAD:
            home.drop(identifier(number), again)
        else:
            home.reclaim(again)
        for other, (where, volume) in chain.living.items():
            if other != number:
                there = next(one for one in again if one.id == where.id)
                assert volume_of(there, other, again) == volume
        after = after or devices
        for got, expected, container in zip(devices, after, again, strict=True):
            assert got.content.units.keys() == expected.content.units.keys(), (at, container.id)
        if at and not hook.fired:
            return done
    raise AssertionError


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("homes", [[0, 0, 0, 0], [0, 1, 0, 1]])
def test_a_drop_that_was_interrupted_anywhere_is_finished_by_the_next(
    homes: list[int], number: int
) -> None:
    chain = chain_over(homes, [None, 0, 1, 2])
    done = interrupted_drop(chain, number, ("write", "discard", "flush"))
    assert done


def test_a_drop_of_one_that_was_only_begun_is_finished_too() -> None:
    chain = chain_over([0, 1], [None, 0])
    home = chain.containers[1]
    volume = a_volume(random.Random(9), 30, BLOCK)
    store(home, 7, volume, chain.reader(1), geometry=SMALL, commit=False)
    chain.living[7] = home, volume
    assert interrupted_drop(chain, 7, ("write", "discard", "flush"))


def test_a_container_of_which_all_is_dropped_is_empty() -> None:
    chain = chain_over([0, 0], [None, 0])
    home = chain.containers[0]
    assert home.drop(identifier(0)) is Remains.BACKUPS
    assert reopened(home).drop(identifier(1)) is Remains.EMPTY
