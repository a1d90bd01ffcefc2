# SPDX-License-Identifier: Apache-2.0
"""Formatting, opening, and what the two superblocks are good for."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

import pytest

from datera_backup.container import (
    LOG_START,
    AlreadyAContainer,
    Container,
    ContainerFull,
    ContainerTooNew,
    LayoutDamaged,
    NotAContainer,
    WrongContainer,
)
from datera_backup.container.format import superblock as superblocks
from datera_backup.container.format.geometry import SLOT_DISTANCE, SLOT_SIZE
from datera_backup.container.format.record import RecordRef
from datera_backup.container.format.superblock import (
    MAX_ENTRIES,
    MAX_SPOTS,
    Entry,
    Spot,
    State,
    Superblock,
)
from tests.fixtures.devices import MemoryDevice
from tests.fixtures.moving import (
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


def test_empty_container() -> None:
    container = reopened(new_container(5))
    assert container.id == identifier(5)
    assert container.entries == ()
    assert container.tail == LOG_START
    assert container.room == container.device.size - LOG_START


@pytest.mark.parametrize("size", [0, 100, LOG_START - 1, LOG_START, 8 << 20])
def test_never_formatted(size: int) -> None:
    with pytest.raises(NotAContainer):
        Container.open(MemoryDevice(size))


def test_too_small_to_format() -> None:
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


def test_another_container() -> None:
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


def test_both_superblocks() -> None:
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


def test_an_old_superblock_never_leads_to_overwriting() -> None:
    """The newest state was lost from both slots, or from one and never got into the other."""
    container = new_container(1)
    parent = back_up(container, 1, DATA)
    old = memory_of(container).content.read(0, LOG_START)
    second = changed(DATA, 2)
    back_up(container, 2, second, parent)
    memory_of(container).content.write(0, old)
    opened = reopened(container)
    before = memory_of(container).content.copy()
    with pytest.raises(LayoutDamaged, match=f"should hold backup {identifier(2)}"):
        writer_for(opened, 3, len(DATA), parent, living=[identifier(1), identifier(2)])
    assert memory_of(container).content == before


def test_a_begun_backup_that_should_live_is_not_overwritten() -> None:
    container = new_container(1)
    writer_for(container, 1, len(DATA))
    with pytest.raises(LayoutDamaged, match=str(identifier(1))):
        writer_for(container, 2, len(DATA), living=[identifier(1)])


@pytest.mark.parametrize("where", [8, 12], ids=["version", "flags"])
def test_a_later_version(where: int) -> None:
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


def test_a_device_that_grew() -> None:
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
            state=State.DEAD,
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
