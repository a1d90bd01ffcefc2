# SPDX-License-Identifier: Apache-2.0
"""Formatting, opening, and what the two superblocks are good for."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

import pytest

from datera_backup.container import (
    LOG_START,
    AlreadyAContainer,
    BackupReader,
    Container,
    ContainerFull,
    ContainerTooNew,
    LayoutDamaged,
    NotAContainer,
    Remains,
    WrongContainer,
)
from datera_backup.container.errors import SuperblockOutdated
from datera_backup.container.format import superblock as superblocks
from datera_backup.container.format.geometry import SLOT_DISTANCE, SLOT_SIZE
from datera_backup.container.format.log_record import RecordRef
from datera_backup.container.format.superblock import (
    MAX_ENTRIES,
    MAX_SPOTS,
    Entry,
    EntryState,
    Spot,
    Superblock,
)
from datera_backup.container.log import peek
from tests.fixtures.containers.devices import FailingDevice, MemoryDevice
from tests.fixtures.containers.moving import (
    TickingClock,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    some_bytes,
    writer_for,
)

DATA = some_bytes(1, 50_000)


def used_bytes(container: Container) -> int:
    return superblocks.length_of(memory_of(container).content.read(0, superblocks.HEAD_SIZE))


@pytest.mark.parametrize("backups", [1, 40])
def test_a_slot_is_read_by_one_request(backups: int) -> None:
    container = new_container(5, 256 << 20)
    for number in range(backups):
        writer_for(container, number, 0).commit()
    assert (used_bytes(container) > 4096) == (backups > 30)
    reads: list[str] = []
    opened = Container.open(FailingDevice(memory_of(container), reads.append))
    # The first time it is not known how long they are; then it is.
    assert len(reads) == (2 if backups == 1 else 3)
    reads.clear()
    opened.require(identifier(0))
    assert len(reads) == 2


def test_new_container_is_empty() -> None:
    container = reopened(new_container(5))
    assert container.id == identifier(5)
    assert container.entries == ()
    assert container.tail == LOG_START
    assert container.room == container.device.size - LOG_START


@pytest.mark.parametrize("size", [0, 100, LOG_START - 1, LOG_START, 8 << 20])
def test_unformatted_device_is_no_container(size: int) -> None:
    with pytest.raises(NotAContainer):
        Container.open(MemoryDevice(size))


def test_device_too_small_is_not_formatted() -> None:
    with pytest.raises(ContainerFull):
        Container.format(MemoryDevice(LOG_START - 1), identifier(1))


def test_a_container_is_not_formatted_again() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    with pytest.raises(AlreadyAContainer):
        Container.format(container.device, identifier(2))
    # Nor are the remains of one.
    memory_of(container).content.flip(SLOT_DISTANCE + 100)
    memory_of(container).content.write(0, bytes(SLOT_SIZE))
    with pytest.raises(AlreadyAContainer):
        Container.format(container.device, identifier(2))


def test_other_container_on_the_device_is_refused() -> None:
    container = new_container(1)
    with pytest.raises(WrongContainer, match=f"{identifier(2)}.*{identifier(1)}"):
        Container.open(container.device, identifier(2))


def test_any_byte_of_one_superblock_harms_nothing() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    device = memory_of(container)
    for slot in (0, 1):
        for spot in range(used_bytes(container)):
            device.content.flip(slot * SLOT_DISTANCE + spot, 0x20)
            opened = reopened(container)
            assert opened.damaged_slots == (slot,)
            assert opened.committed == (identifier(1),)
            device.content.flip(slot * SLOT_DISTANCE + spot, 0x20)
    assert restore(container, 1) == DATA


def test_both_superblocks_damaged_is_reported() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    device = memory_of(container)
    device.content.flip(40)
    device.content.flip(SLOT_DISTANCE + 60)
    with pytest.raises(LayoutDamaged, match="Neither superblock"):
        reopened(container)


def test_a_damaged_superblock_is_mended_by_the_next_change() -> None:
    for slot in (0, 1):
        container = new_container(1)
        parent = back_up(container, 1, DATA)
        memory_of(container).content.flip(slot * SLOT_DISTANCE + 30)
        opened = reopened(container)
        back_up(opened, 2, changed(DATA, 2), parent)
        assert opened.damaged_slots == ()
        assert reopened(container).damaged_slots == ()
        assert restore(reopened(container), 1) == DATA


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ([1, 2], f"should hold backup {identifier(2)}"),
        ([1], f"is older than backup {identifier(2)}"),
    ],
)
def test_an_old_superblock_never_leads_to_overwriting(known: list[int], told: str) -> None:
    """The newest state was lost from both slots, or from one and never got into the other."""
    container = new_container(1)
    parent = back_up(container, 1, DATA)
    old = memory_of(container).content.read(0, LOG_START)
    second = changed(DATA, 2)
    back_up(container, 2, second, parent)
    memory_of(container).content.write(0, old)
    opened = reopened(container)
    before = memory_of(container).content.copy()
    with pytest.raises(LayoutDamaged, match=told):
        writer_for(opened, 3, len(DATA), parent, living=[*map(identifier, known)])
    assert memory_of(container).content == before


def test_what_may_be_an_old_superblock_says_so() -> None:
    container = new_container(1)
    assert not reopened(container).may_be_stale
    parent = back_up(container, 1, DATA)
    slots = [(number * SLOT_DISTANCE, SLOT_SIZE) for number in range(2)]
    content = memory_of(container).content
    older = [content.read(at, size) for at, size in slots]
    assert not reopened(container).may_be_stale
    back_up(container, 2, changed(DATA, 2), parent)
    whole = [content.read(at, size) for at, size in slots]
    for number, (at, size) in enumerate(slots):
        other = slots[1 - number][0]
        for lost in (older[number], bytes(size)):
            content.write(at, lost)
            assert reopened(container).may_be_stale, number
            # The newest is in use; what was lost may be in the slot that is used next time.
            content.write(at, whole[number])
        content.write(at, older[number])
        content.write(other, b"\xff" * 4096)
        assert [*map(identifier, [1])] == [*reopened(container).committed]
        assert reopened(container).may_be_stale
        content.write(at, whole[number])
        content.write(other, whole[1 - number])
    assert not reopened(container).may_be_stale


class UndiscardingDevice(MemoryDevice):
    """Keeps what is discarded, as some devices do."""

    def discard(self, offset: int, length: int) -> bool:
        return False


def test_remains_of_deleted_and_failed_backups_behind_the_log_are_overwritten() -> None:
    device = UndiscardingDevice(64 << 20)
    container = Container.format(device, identifier(1))
    parent = back_up(container, 1, DATA)
    back_up(container, 2, changed(DATA, 2), parent)
    container.drop(identifier(2))
    deleted = peek(device, container.tail)
    assert deleted is not None
    assert deleted.owner.backup_id == identifier(2)
    writer_for(container, 3, len(DATA), parent)
    back_up(container, 4, changed(DATA, 4), parent)
    assert restore(reopened(container), 4) == changed(DATA, 4)


def test_a_begun_backup_that_should_live_is_not_overwritten() -> None:
    container = new_container(1)
    writer_for(container, 1, len(DATA))
    with pytest.raises(LayoutDamaged, match=str(identifier(1))):
        writer_for(container, 2, len(DATA), living=[identifier(1)])


@pytest.mark.parametrize("where", [8, 12], ids=["version", "flags"])
def test_later_version_is_refused_and_not_damaged(where: int) -> None:
    container = new_container(1)
    device = memory_of(container)
    for start in (0, SLOT_DISTANCE):
        raw = bytearray(device.content.read(start, superblocks.HEAD_SIZE))
        raw[where] = 9
        raw[96:128] = bytes(32)
        raw[96:128] = hashlib.sha256(raw).digest()
        device.content.write(start, raw)
    with pytest.raises(ContainerTooNew, match=str(container.id)):
        reopened(container)


def test_extended_device_has_more_room() -> None:
    container = new_container(1, LOG_START + (4 << 20))
    parent = back_up(container, 1, DATA)
    room = container.room
    memory_of(container).content.resize(32 << 20)
    assert container.room > room
    opened = reopened(container)
    back_up(opened, 2, some_bytes(7, 400_000), parent)
    assert restore(opened, 1) == DATA


def test_two_who_read_while_one_writes_see_a_whole_superblock() -> None:
    """The first look finds one slot torn, and by then the writer is in the other."""
    container = new_container(1)
    back_up(container, 1, DATA)
    whole = memory_of(container).content

    class Torn(MemoryDevice):
        looks = 0

        def pread(self, offset: int, buffer: memoryview) -> None:
            super().pread(offset, buffer)
            if offset in (0, SLOT_DISTANCE) and len(buffer) > superblocks.HEAD_SIZE:
                self.looks += 1
                if self.looks <= 2:
                    buffer[-1] ^= 1

    assert Container.open(Torn(content=whole)).committed == (identifier(1),)


def test_as_many_entries_as_a_slot_takes() -> None:
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    entries = [
        Entry(
            backup_id=identifier(n),
            parent_id=identifier(n - 1) if n else None,
            state=EntryState.DEAD,
            generation=n,
            start=n * 4096,
            end=n * 4096 + 4096,
            commit=RecordRef(n + 1, 5, bytes(32)),
            started=moment,
            changed=moment,
        )
        for n in range(MAX_ENTRIES + 1)
    ]
    spots = tuple(Spot(identifier(0), n, 4096) for n in range(MAX_SPOTS))
    full = Superblock(3, identifier(1), 9, moment, tuple(entries[:-1]), spots)
    raw = superblocks.encode(full)
    assert len(raw) <= SLOT_SIZE
    assert superblocks.decode(raw) == full
    with pytest.raises(ContainerFull, match="superblock"):
        superblocks.encode(Superblock(3, identifier(1), 9, moment, tuple(entries)))


def misdirected(number: int, source: Container, target: Container, into: int) -> None:
    """Write a slot of one container into one of another, as a misdirected write does."""
    raw = memory_of(source).content.read(number * SLOT_DISTANCE, SLOT_SIZE)
    memory_of(target).content.write(into * SLOT_DISTANCE, raw)


def two_containers() -> tuple[Container, Container]:
    """Return two with a backup each, of which the first has been written to more often."""
    first, second = new_container(1), new_container(2)
    back_up(first, 1, DATA)
    back_up(first, 3, DATA)
    back_up(second, 2, DATA)
    return first, second


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("into", [0, 1])
def test_superblock_of_another_container_in_a_slot_harms_nothing(number: int, into: int) -> None:
    first, second = two_containers()
    misdirected(number, first, second, into)
    opened = Container.open(memory_of(second), identifier(2), clock=TickingClock())
    assert opened.damaged_slots == (into,)
    assert opened.may_be_stale
    assert restore(opened, 2) == DATA
    opened.repair()
    assert reopened(opened).damaged_slots == ()
    assert restore(reopened(opened), 2) == DATA


@pytest.mark.parametrize("into", [0, 1])
def test_superblock_of_another_container_that_appears_later_harms_nothing(into: int) -> None:
    first, second = two_containers()
    misdirected(into, first, second, into)
    back_up(second, 4, DATA, BackupReader(second, identifier(2)))
    assert restore(reopened(second), 4) == DATA


def test_superblocks_of_two_containers_are_damage_if_none_is_asked_for() -> None:
    first, second = two_containers()
    misdirected(0, first, second, 0)
    with pytest.raises(LayoutDamaged, match=f"{identifier(1)}.*{identifier(2)}"):
        Container.open(memory_of(second))
    with pytest.raises(WrongContainer):
        Container.open(memory_of(first), identifier(2))


@pytest.mark.parametrize("into", [0, 1])
def test_superblock_in_the_other_ones_slot_is_damaged(into: int) -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    misdirected(1 - into, container, container, into)
    opened = reopened(container)
    assert opened.damaged_slots == (into,)
    assert restore(opened, 1) == DATA


def test_a_device_that_returns_an_older_superblock_is_found_out() -> None:
    device = MemoryDevice(64 << 20)
    container = Container.format(device, identifier(0))
    back_up(container, 0, some_bytes(0, 100_000))
    before = bytearray(LOG_START)
    device.pread(0, memoryview(before))
    assert container.drop(identifier(0)) is Remains.EMPTY
    device.pwrite(0, before)
    with pytest.raises(SuperblockOutdated, match=r"generation \d+ .* after generation \d+"):
        container.repair()
    assert container.remains is Remains.EMPTY
