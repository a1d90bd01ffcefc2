# SPDX-License-Identifier: Apache-2.0
"""Whatever byte changes on a device, the restore says what is wrong and writes nothing wrong."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import (
    BackupReader,
    BlockDamaged,
    CommitDamaged,
    Container,
    ContainerMissing,
    DamageKind,
    LayoutDamaged,
    ManifestDamaged,
    WrongContainer,
    notices,
)
from datera_backup.container.format.geometry import RECORD_HEADER_SIZE
from datera_backup.container.format.log_record import places
from datera_backup.container.log import peek
from tests.fixtures.containers.metadata import Record, records_of
from tests.fixtures.containers.moving import (
    BLOCK,
    SMALL,
    MemorySink,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    restore_onto,
    some_bytes,
)

DATA = some_bytes(1, 20 * BLOCK + 99)


@pytest.fixture
def container() -> Container:
    container = new_container(1)
    back_up(container, 1, DATA)
    return container


def assert_nothing_wrong_was_written(sink: MemorySink, data: bytes) -> None:
    for offset, written in sink.written:
        assert data[offset : offset + len(written)] == written
    assert not sink.flushed


def spots_of(length: int, rng: random.Random) -> list[int]:
    """All bytes of a short block; of a long one the ends and some."""
    return [*range(length)] if length < 80 else [0, length - 1, *rng.choices(range(length), k=6)]


def damage_found(reader: BackupReader, sink: MemorySink) -> BlockDamaged | None:
    try:
        restore_onto(reader, sink)
    except BlockDamaged as damage:
        return damage
    return None


def test_any_changed_byte_of_a_stored_block_is_damage(container: Container) -> None:
    reader = BackupReader(container, identifier(1))
    device = memory_of(container)
    rng = random.Random(2)
    codecs, unharmful = set(), 0
    for number in range(SMALL.chunks(len(DATA))):
        chunk = reader.chunk(number)
        assert chunk is not None
        for place in (place for place, codec in enumerate(chunk.codecs) if codec):
            _, offset, length, codec = chunk.location(place)
            codecs.add(codec)
            for spot in spots_of(length, rng):
                bit = 1 << rng.randrange(8)
                device.content.flip(offset + spot, bit)
                sink = MemorySink(len(DATA))
                damage = damage_found(reader, sink)
                device.content.flip(offset + spot, bit)
                if damage is None:
                    # A compressed frame has bits that change nothing; then the bytes are right.
                    unharmful += 1
                    assert bytes(sink.content) == DATA
                    continue
                block = number * SMALL.blocks_per_chunk + place
                assert (damage.block, damage.source_offset) == (block, block * BLOCK)
                assert damage.device_offset == offset
                assert (damage.length, damage.finding) == (length, DamageKind.DAMAGED)
                for part in (identifier(1), container.id, block, block * BLOCK, offset):
                    assert str(part) in str(damage)
                assert_nothing_wrong_was_written(sink, DATA)
    assert len(codecs) == 2
    assert unharmful < 20


def test_zeroed_segment_is_absent(container: Container) -> None:
    start = container.entries[0].start
    header = peek(container.device, start)
    assert header is not None
    length = RECORD_HEADER_SIZE + header.stored_length
    memory_of(container).content.write(start, bytes(length))
    with pytest.raises(BlockDamaged, match=rf"Block \d+ of backup {identifier(1)}") as caught:
        restore(reopened(container), 1)
    assert caught.value.finding is DamageKind.ABSENT


def records(container: Container) -> list[Record]:
    entry = container.entries[0]
    assert entry.commit is not None
    return list(records_of(BackupReader(container, identifier(1)), entry.commit))


@pytest.mark.parametrize("copy", [0, 1])
def test_any_byte_of_one_copy_of_any_metadata_harms_nothing(
    container: Container, copy: int
) -> None:
    device = memory_of(container)
    found = records(container)
    assert len(found) == 5
    for what, ref in found:
        place = places(ref.offset)[copy]
        for spot in range(ref.length):
            device.content.flip(place + spot, 0x10)
            opened = reopened(container)
            reader = BackupReader(opened, identifier(1))
            chunks = [reader.chunk(number) for number in range(reader.chunk_count)]
            assert all(chunks)
            # The second copy is only looked at where the first one is not whole.
            assert opened.copies.faulty == ((place,) if copy == 0 else ()), what
            device.content.flip(place + spot, 0x10)


@pytest.mark.parametrize("both", [[0, 0], [0, -1], [-1, 0]])
def test_both_copies_of_any_metadata_are_named(container: Container, both: list[int]) -> None:
    device = memory_of(container)
    whole = device.content.copy()
    for what, ref in records(container):
        for place, spot in zip(places(ref.offset), both, strict=True):
            device.content.flip(place + spot % ref.length)
        names = f"{what} of backup {identifier(1)} in container {container.id}.*byte {ref.offset}"
        with pytest.raises((CommitDamaged, ManifestDamaged), match=names) as caught:
            restore(reopened(container), 1)
        assert caught.value.finding is DamageKind.DAMAGED
        device.content.units = whole.copy().units
    assert restore(reopened(container), 1) == DATA


def test_one_copy_is_told_once_and_repaired(container: Container) -> None:
    device = memory_of(container)
    whole = device.content.copy()
    (_, ref) = records(container)[-1]
    device.content.flip(ref.offset + RECORD_HEADER_SIZE)
    notices.told()
    opened = reopened(container)
    for _ in range(3):
        assert restore(opened, 1) == DATA
    (told,) = notices.told()
    for part in (ref.offset, container.id, "damaged", "its copy is used"):
        assert str(part) in told
    opened.repair()
    assert device.content == whole
    (told,) = notices.told()
    assert f"byte {ref.offset} of container {container.id} was repaired" in told
    assert opened.copies.faulty == ()
    opened.repair()
    assert restore(reopened(container), 1) == DATA
    assert notices.told() == []


def damage_both(container: Container, record: Record) -> None:
    for place in places(record.ref.offset):
        memory_of(container).content.flip(place + RECORD_HEADER_SIZE)


def test_a_damaged_manifest_ends_a_restore(container: Container) -> None:
    reader = BackupReader(container, identifier(1))
    damage_both(container, records(container)[-2])
    sink = MemorySink(len(DATA))
    with pytest.raises(ManifestDamaged, match="chunk 1"):
        restore_onto(reader, sink)
    assert_nothing_wrong_was_written(sink, DATA)


def test_a_damaged_manifest_is_not_inherited(container: Container) -> None:
    damage_both(container, records(container)[-2])
    opened = reopened(container)
    notices.told()
    new = changed(DATA, 1)
    reader = back_up(opened, 2, new, BackupReader(opened, identifier(1)))
    assert restore(reopened(container), 2) == new
    stored = sum(any(new[at : at + BLOCK]) for at in range(8 * BLOCK, 16 * BLOCK, BLOCK))
    assert stored <= reader.commit.statistics.new_blocks <= stored + 2
    assert "chunk 1" in notices.told()[0]


def test_switched_containers_are_recognized() -> None:
    first, second = new_container(1), new_container(2)
    parent = back_up(first, 1, DATA)
    back_up(second, 2, changed(DATA, 3), parent)
    with pytest.raises(WrongContainer) as caught:
        Container.open(second.device, first.id)
    assert (caught.value.expected, caught.value.found) == (first.id, second.id)
    assert str(first.id) in str(caught.value)
    assert str(second.id) in str(caught.value)
    with pytest.raises(ContainerMissing, match=f"needs container {first.id}"):
        restore(second, 2)
    with pytest.raises(ContainerMissing):
        restore(second, 2, [new_container(3)])


def test_container_id_on_other_contents_is_damage() -> None:
    """A container was lost and made anew under its old id: its blocks are not the ones meant."""
    first, second = new_container(1), new_container(2)
    parent = back_up(first, 1, DATA)
    back_up(second, 2, DATA, parent)
    again = new_container(1)
    back_up(again, 1, some_bytes(99, len(DATA)))
    with pytest.raises(LayoutDamaged):
        restore(second, 2, [again])


@pytest.mark.parametrize("cut", [1, BLOCK, 5 * BLOCK])
def test_truncated_device_is_too_short(container: Container, cut: int) -> None:
    device = memory_of(container).copy()
    device.content.resize(container.tail - cut)
    with pytest.raises(LayoutDamaged, match=rf"{container.id}.*ends at byte {device.size}"):
        Container.open(device)


def test_device_that_ends_while_it_is_read_is_absent(container: Container) -> None:
    reader = BackupReader(container, identifier(1))
    memory_of(container).content.resize(container.entries[0].start + BLOCK)
    with pytest.raises(LayoutDamaged) as caught:
        restore_onto(reader, MemorySink(len(DATA)))
    assert caught.value.finding is DamageKind.ABSENT
