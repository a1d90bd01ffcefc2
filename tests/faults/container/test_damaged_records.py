# SPDX-License-Identifier: Apache-2.0
"""Whatever becomes of whichever record: nothing wrong comes back, and what lies elsewhere does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from datera_backup.container import BackupReader, Container, ContainerError, WrongContainer
from datera_backup.container.device import Device
from datera_backup.engine import Damage, EngineSettings, RestoreJob, VerifyJob
from tests.fixtures.containers.chain_of_two import HOMES
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    MemorySink,
    back_up,
    identifier,
    memory_of,
    new_container,
    some_bytes,
)
from tests.fixtures.containers.salvaging import homes_of, salvage
from tests.fixtures.faults.damaged_chain import Lost, Range, Records, Target, every_record
from tests.fixtures.faults.damaging import CERTAIN, WHEN, WRONG, Wavering, damaged
from tests.fixtures.faults.extent import chance, portion

SETTINGS = EngineSettings(workers=1, requests=2, depth=2, batch_size=4 * BLOCK)
CASES = "damaged records"
OTHERS_DATA = 0xEE
FULL = 1
"""The number of the full backup."""

Tally = Callable[[str, int], None]


@pytest.fixture(scope="module")
def records() -> Records:
    return every_record()


def opened(devices: Sequence[Device], which: int) -> tuple[Container, list[Container]]:
    """Open the container in which a backup should be, and what can be opened of the others."""
    home, others = Container.open(devices[which], identifier((1, 6)[which])), []
    try:
        others.append(Container.open(devices[1 - which], identifier((6, 1)[which])))
    except ContainerError:
        if which:
            raise  # as the driver does that finds a container of the chain unreadable
    return home, others


def restored(records: Records, devices: Sequence[Device], number: int) -> ContainerError | None:
    """Restore a backup onto other data, and return why that was refused, if it was."""
    right = records.chain.contents[number]
    sink = MemorySink(len(right), bytes([OTHERS_DATA]))
    try:
        home, others = opened(devices, HOMES[number])
        reader = BackupReader(home, identifier(number), others)
        reader.require_all()
        job = RestoreJob(reader, sink, write_zeros=True, settings=SETTINGS)
        job.start()
        job.result()
    except ContainerError as exc:
        refused = exc
    else:
        assert bytes(sink.content) == right
        return None
    for offset, data in sink.written:
        assert right[offset : offset + len(data)] == data
    assert not sink.flushed
    assert str(refused)
    return refused


def blocks_of(damage: Sequence[tuple[int, int]]) -> set[int]:
    """Return the blocks in some ranges (offset, length) of a volume."""
    return {
        block
        for offset, length in damage
        for block in range(offset // BLOCK, -(-(offset + length) // BLOCK))
    }


def verified(devices: Sequence[Device], number: int) -> tuple[set[int], Container] | None:
    """Verify a backup with all copies, and return the blocks that are named, and the container."""
    found: list[Damage] = []
    try:
        home, others = opened(devices, HOMES[number])
        reader = BackupReader(home, identifier(number), others)
        reader.look_at_copies()
    except ContainerError:
        return None
    job = VerifyJob(reader, settings=SETTINGS, on_damage=found.append)
    job.start()
    job.result()
    return blocks_of([(one.offset, one.length) for one in found]), home


def salvaged(records: Records, devices: Sequence[Device], number: int) -> set[int] | None:
    """Salvage a backup and return the blocks that are missing; None if it cannot be found."""
    found = salvage(homes_of(devices), identifier(number))
    if found is None:
        return None
    found.check(records.chain.contents[number])
    return blocks_of([(one.offset, one.length) for one in found.missing])


def user_of(targets: Sequence[Target], rng: random.Random) -> int:
    """Return a backup that needs a record, or any where none is known to."""
    return rng.choice(sorted(targets[0].users) or sorted(HOMES))


def check(records: Records, fault: str, targets: Sequence[Target], rng: random.Random) -> None:
    """Damage records and see what comes back of a backup that needs them."""
    devices, ranges = damaged(records, fault, targets, rng)
    number = user_of(targets, rng)
    lost = records.lost(number, ranges)
    slots = len(targets) == 2 and targets[0].kind == "superblock"
    # An old superblock that is whole knows nothing of what came after it, another one's nothing.
    stale = slots and fault in ("an old copy", "a swapped copy")
    refused = restored(records, devices, number)
    missing = salvaged(records, devices, number)
    named = verified(devices, number)
    needed = lost.blocks or lost.below or lost.commit
    if fault != "truncated" and not slots and not needed:
        assert refused is None
    if needed and fault in CERTAIN:
        assert refused is not None
    if lost.commit or stale:
        assert missing is None or missing <= lost.blocks
        return
    assert missing is not None
    assert missing <= lost.blocks | lost.below
    if number == FULL and records.segments_are_whole(ranges):
        # Nobody else wrote any of its blocks: its segments say where they are.
        assert missing <= lost.blocks
    if fault in CERTAIN:
        assert lost.blocks <= missing
    if named is not None:
        blocks, home = named
        assert missing <= blocks <= lost.blocks | lost.below
        if fault not in ("an old copy", "truncated") and len(targets) == 1:
            see_copies_named(home, number, targets[0], ranges, lost)


def see_copies_named(
    home: Container, number: int, target: Target, ranges: Sequence[Range], lost: Lost
) -> None:
    """One damaged copy does no harm yet, and is named even so."""
    if target.device != HOMES[number] or lost.below:
        return
    if target.kind == "superblock":
        assert home.damaged_slots == (target.copy,)
    elif target.copy is not None and number in target.users:
        assert target.offset in home.copies.faulty


@pytest.mark.parametrize("fault", WRONG)
def test_one_record_damaged_costs_what_lies_in_it(
    records: Records, fault: str, tally: Tally
) -> None:
    cases = portion(records.targets, "one record", fault, small=3, brief=20)
    for target in cases:
        check(records, fault, [target], chance(fault, str(target)))
    tally(CASES, len(cases))


@pytest.mark.parametrize("fault", [fault for fault in WRONG if fault != "truncated"])
def test_both_copies_damaged_cost_what_is_found_by_them(
    records: Records, fault: str, tally: Tally
) -> None:
    cases = portion(records.pairs, "both copies", fault, small=2, brief=8)
    for pair in cases:
        check(records, fault, pair, chance(fault, "both", str(pair[0])))
    tally(CASES, len(cases))


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("fault", ["one bit", "an old copy", "a swapped copy", "unreadable"])
def test_record_that_changes_while_it_is_read_gives_nothing_wrong(
    records: Records, fault: str, when: str, tally: Tally
) -> None:
    cases = portion(records.targets, "while read", fault, when, small=1, brief=5)
    for target in cases:
        rng = chance(fault, when, str(target))
        wrong, (where,) = damaged(records, fault, [target], rng)
        number = user_of([target], rng)
        lost = records.lost(number, [where])

        def devices(
            target: Target = target, wrong: list[MemoryDevice] = wrong, where: Range = where
        ) -> list[MemoryDevice]:
            both = [MemoryDevice(content=records.whole(which)) for which in range(2)]
            other = None if fault == "unreadable" else wrong[target.device].content
            right = both[target.device].content
            both[target.device] = Wavering(right, other, [where], WHEN[when])
            return both

        refused = restored(records, devices(), number)
        missing = salvaged(records, devices(), number)
        if not lost.blocks or (when == "wrong once, then right" and fault != "unreadable"):
            assert refused is None
            assert missing == set()
        assert missing is not None
        assert missing <= lost.blocks
    tally("records damaged while they are read", len(cases))


@pytest.mark.parametrize("fault", ["one bit", "a swapped copy"])
def test_record_whose_copies_are_both_wrong_once_is_read_again(
    records: Records, fault: str, tally: Tally
) -> None:
    """They are what this host had cached before another one wrote there."""
    pairs = [pair for pair in records.pairs if pair[0].kind != "superblock"]
    cases = portion(pairs, "both while read", fault, small=2, brief=6)
    for pair in cases:
        rng = chance(fault, "both while read", str(pair[0]))
        wrong, where = damaged(records, fault, pair, rng)
        devices = [MemoryDevice(content=records.whole(which)) for which in range(2)]
        which = pair[0].device
        once = WHEN["wrong once, then right"]
        devices[which] = Wavering(devices[which].content, wrong[which].content, where, once)
        assert restored(records, devices, user_of(pair, rng)) is None, str(pair[0])
    tally("records damaged while they are read", len(cases))


def foreign(number: int) -> MemoryDevice:
    """Return another container's device."""
    container = new_container(number, 24 << 20)
    back_up(container, 99, some_bytes(number, 40 * BLOCK))
    return memory_of(container)


@pytest.mark.parametrize("which", range(2))
@pytest.mark.parametrize("impostor", ["the other one", "a foreign one", "one made anew"])
def test_another_container_in_the_place_of_one_gives_nothing_wrong(
    records: Records, which: int, impostor: str, tally: Tally
) -> None:
    for number, home in HOMES.items():
        devices = [MemoryDevice(content=records.whole(one)) for one in range(2)]
        if impostor == "the other one":
            devices[which] = MemoryDevice(content=records.whole(1 - which))
        else:
            devices[which] = foreign(90 if impostor == "a foreign one" else (1, 6)[which])
        refused = restored(records, devices, number)
        missing = salvaged(records, devices, number)
        there = {one.number for one in records.blocks[number] if one.device == which}
        if which == home:
            assert isinstance(refused, ContainerError)
            assert (impostor == "one made anew") != isinstance(refused, WrongContainer)
            assert missing is None
        elif there:
            assert refused is not None
            assert missing == there
        else:
            assert refused is None
            assert missing == set()
    tally(CASES, len(HOMES))
