# SPDX-License-Identifier: Apache-2.0
"""A device reports errors for some of its bytes: whatever stands elsewhere too is not lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datera_backup.container import (
    BackupReader,
    BytesUnreadable,
    CommitDamaged,
    Container,
    DamageKind,
    LayoutDamaged,
    ManifestDamaged,
    notices,
)
from datera_backup.container.format.geometry import SLOT_DISTANCE, SLOT_SIZE
from datera_backup.engine import BackupJob
from tests.fixtures.containers.devices import BrokenDevice, MemoryDevice
from tests.fixtures.containers.metadata import Record, records_of
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    SMALL,
    BytesSource,
    TickingClock,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    restore,
    some_bytes,
    verify,
    writer_for,
)

FIRST = some_bytes(1, 20 * BLOCK + 99)
SECOND = changed(FIRST, 2, 3)
THIRD = changed(SECOND, 3, 3)

Break = Callable[[BrokenDevice, tuple[int, int]], None]


def a_chain() -> MemoryDevice:
    container = new_container(1)
    parent = back_up(container, 1, FIRST)
    back_up(container, 2, SECOND, parent)
    return memory_of(container)


def opened(device: MemoryDevice) -> Container:
    return Container.open(device, identifier(1), clock=TickingClock())


def slot(number: int) -> tuple[int, int]:
    return number * SLOT_DISTANCE, number * SLOT_DISTANCE + SLOT_SIZE


@pytest.mark.parametrize("kind", ["read", "read and write", "until rewritten"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_superblock_that_cannot_be_read_stops_nothing(number: int, kind: str) -> None:
    whole = a_chain()
    device = BrokenDevice(whole)
    device.unreadable = [slot(number)]
    device.unwritable = [slot(number)] if kind == "read and write" else []
    device.heals = kind == "until rewritten"
    notices.told()
    container = opened(device)
    assert container.damaged_slots == (number,)
    assert notices.told() == [
        f"Superblock {number} of the container is unreadable; the other one is used."
    ]
    assert restore(container, 1) == FIRST
    assert verify(BackupReader(container, identifier(2))) == []
    back_up(container, 3, THIRD, BackupReader(container, identifier(2)))
    assert container.damaged_slots == (() if device.heals else (number,))
    opened(device).drop(identifier(1))
    # As it is, and as another host sees it that has no trouble with the device.
    for again in (opened(device), opened(whole)):
        assert again.committed == (identifier(2), identifier(3))
        assert restore(again, 2) == SECOND
        assert restore(again, 3) == THIRD


@pytest.mark.parametrize("number", [0, 1])
def test_repair_writes_a_superblock_anew(number: int) -> None:
    device = BrokenDevice(a_chain())
    device.unreadable, device.heals = [slot(number)], True
    container = opened(device)
    container.repair()
    assert container.damaged_slots == opened(device).damaged_slots == ()


def test_two_superblocks_that_cannot_be_read_are_not_called_damaged() -> None:
    device = BrokenDevice(a_chain())
    device.unreadable = [slot(0), slot(1)]
    with pytest.raises(BytesUnreadable, match="number 0 is unreadable, number 1 is unreadable"):
        opened(device)
    device.unreadable = [slot(0)]
    device.content.flip(SLOT_DISTANCE + 200)
    with pytest.raises(BytesUnreadable, match="number 0 is unreadable, number 1 is damaged"):
        opened(device)


def unreadable(device: BrokenDevice, where: tuple[int, int]) -> None:
    device.unreadable.append(where)


def flipped(device: BrokenDevice, where: tuple[int, int]) -> None:
    device.content.flip((where[0] + where[1]) // 2)


def zeros(device: BrokenDevice, where: tuple[int, int]) -> None:
    device.content.write(where[0], bytes(where[1] - where[0]))


DAMAGES: dict[Break, DamageKind] = {
    unreadable: DamageKind.UNREADABLE,
    flipped: DamageKind.DAMAGED,
    zeros: DamageKind.ABSENT,
}


def all_records(device: MemoryDevice) -> list[Record]:
    container = opened(device)
    found: dict[int, Record] = {}
    for entry in container.entries:
        assert entry.commit is not None
        for record in records_of(BackupReader(container, entry.backup_id), entry.commit):
            found[record.ref.offset] = record
    return list(found.values())


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("copy", [0, 1])
def test_one_copy_of_any_metadata_is_made_up_for_and_mended(copy: int, damage: Break) -> None:
    whole = a_chain()
    records = all_records(whole)
    assert len(records) >= 8
    for record in records:
        device = BrokenDevice(whole.copy())
        device.heals = True
        damage(device, record.ranges[copy])
        container = opened(device)
        assert restore(container, 1) == FIRST
        assert restore(container, 2) == SECOND
        for number in (1, 2):
            assert verify(BackupReader(container, identifier(number))) == []
        assert list(container.copies.faulty) == [record.ranges[copy][0]]
        container.repair()
        assert list(container.copies.faulty) == []
        assert device.unreadable == []
        assert device.content == whole.content
        back_up(container, 3, THIRD, BackupReader(container, identifier(2)))
        assert restore(opened(device), 3) == THIRD


@pytest.mark.parametrize("copy", [0, 1])
def test_a_verification_takes_nothing_from_what_was_read_before(copy: int) -> None:
    whole = a_chain()
    for record in all_records(whole):
        device = BrokenDevice(whole.copy())
        container = opened(device)
        readers = [BackupReader(container, identifier(number)) for number in (1, 2)]
        for reader in readers:
            reader.chunk(int(record.what.split()[-1]) if "chunk" in record.what else 0)
        flipped(device, record.ranges[copy])
        for reader in readers:
            assert verify(reader) == []
        assert list(container.copies.faulty) == [record.ranges[copy][0]]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("copy", [0, 1])
def test_an_incremental_and_a_drop_go_on_beside_it(copy: int, damage: Break) -> None:
    whole = a_chain()
    for record in all_records(whole):
        device = BrokenDevice(whole.copy())
        damage(device, record.ranges[copy])
        container = opened(device)
        back_up(container, 3, THIRD, BackupReader(container, identifier(2)))
        container.drop(identifier(1))
        assert restore(opened(device), 2) == SECOND
        assert restore(opened(device), 3) == THIRD


@pytest.mark.parametrize("damage", DAMAGES)
def test_both_copies_cost_the_blocks_below_and_no_others(damage: Break) -> None:
    whole = a_chain()
    for record in all_records(whole):
        device = BrokenDevice(whole.copy())
        for where in record.ranges:
            damage(device, where)
        container = opened(device)
        lost: set[int] = set()
        lost_whole: list[tuple[str, DamageKind]] = []
        for number, data in ((1, FIRST), (2, SECOND)):
            try:
                reader = BackupReader(container, identifier(number))
                found = verify(reader)
            except CommitDamaged as exc:
                lost_whole.append((record.what, exc.finding))
                lost.add(number)
                continue
            chunks = {one.offset // SMALL.chunk_size for one in found}
            if record.what.startswith("manifest"):
                assert chunks <= {int(record.what.split()[-1])}
            for one in found:
                assert isinstance(one.error, ManifestDamaged)
                assert one.error.finding is DAMAGES[damage]
                of_chunk = record.what.startswith("manifest")
                reach = SMALL.chunk_size if of_chunk else len(data)
                end = min(one.offset + reach, len(data))
                assert one.offset + one.length == end
            if found:
                lost.add(number)
            else:
                assert restore(container, number) == data
        assert lost
        assert set(lost_whole) <= {("commit record", DAMAGES[damage])}


def test_a_read_error_of_the_superblock_while_a_backup_is_written_ends_nothing() -> None:
    device = BrokenDevice(a_chain())
    container = opened(device)
    parent = BackupReader(container, identifier(2))
    job = BackupJob(BytesSource(THIRD), writer_for(container, 3, len(THIRD), parent), FEW)
    device.unreadable = [slot(1)]
    job.start()
    job.result()
    assert restore(opened(device), 3) == THIRD


def test_a_device_that_fails_everywhere_is_unreadable() -> None:
    device = BrokenDevice(a_chain())
    container = opened(device)
    device.unreadable = [(0, device.size)]
    with pytest.raises(LayoutDamaged) as caught:
        BackupReader(container, identifier(1))
    assert caught.value.finding is DamageKind.UNREADABLE
