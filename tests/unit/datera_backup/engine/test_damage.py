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
    LayoutDamaged,
    ManifestDamaged,
    WrongContainer,
)
from datera_backup.container.geometry import RECORD_HEADER_SIZE
from datera_backup.container.record import peek
from tests.fixtures.devices import MemoryDevice
from tests.fixtures.moving import (
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


def test_any_byte_of_a_stored_block(container: Container) -> None:
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
                device.content[offset + spot] ^= bit
                sink = MemorySink(len(DATA))
                damage = damage_found(reader, sink)
                device.content[offset + spot] ^= bit
                if damage is None:
                    # A compressed frame has bits that change nothing; then the bytes are right.
                    unharmful += 1
                    assert bytes(sink.content) == DATA
                    continue
                block = number * SMALL.blocks_per_chunk + place
                assert (damage.block, damage.source_offset) == (block, block * BLOCK)
                assert damage.device_offset == offset
                assert damage.expected == chunk.digest(place) != damage.found
                for part in (identifier(1), container.id, block, damage.expected.hex()):
                    assert str(part) in str(damage)
                assert_nothing_wrong_was_written(sink, DATA)
    assert len(codecs) == 2
    assert unharmful < 20


def test_a_segment_that_was_zeroed(container: Container) -> None:
    start = container.entries[0].start
    header = peek(container.device, start)
    assert header is not None
    length = RECORD_HEADER_SIZE + header.stored_length
    memory_of(container).content[start : start + length] = bytes(length)
    with pytest.raises(BlockDamaged, match=rf"Block \d+ of backup {identifier(1)}"):
        restore(reopened(container), 1)


def test_any_byte_of_a_manifest(container: Container) -> None:
    commit = container.commit_of(identifier(1))
    device = memory_of(container)
    for number, ref in enumerate(commit.manifests):
        assert ref is not None
        for spot in range(ref.length):
            device.content[ref.offset + spot] ^= 0x10
            with pytest.raises(ManifestDamaged, match=f"chunk {number} of backup {identifier(1)}"):
                BackupReader(container, identifier(1)).chunk(number)
            device.content[ref.offset + spot] ^= 0x10


def test_a_damaged_manifest_ends_a_restore_and_an_incremental(container: Container) -> None:
    reader = BackupReader(container, identifier(1))
    ref = reader.commit.manifests[1]
    assert ref is not None
    memory_of(container).content[ref.offset + RECORD_HEADER_SIZE] ^= 1
    sink = MemorySink(len(DATA))
    with pytest.raises(ManifestDamaged):
        restore_onto(reader, sink)
    assert_nothing_wrong_was_written(sink, DATA)
    with pytest.raises(ManifestDamaged):
        back_up(container, 2, changed(DATA, 1), reader)
    assert container.committed == (identifier(1),)


def test_any_byte_of_the_commit(container: Container) -> None:
    entry = container.entries[0]
    device = memory_of(container)
    for spot in range(entry.commit_length):
        device.content[entry.commit_offset + spot] ^= 0x01
        with pytest.raises(CommitDamaged, match=str(identifier(1))):
            BackupReader(reopened(container), identifier(1))
        device.content[entry.commit_offset + spot] ^= 0x01
    assert restore(reopened(container), 1) == DATA


def test_two_containers_that_were_switched() -> None:
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


def test_the_same_id_on_other_bytes() -> None:
    """A container was lost and made anew under its old id: its blocks are not the ones meant."""
    first, second = new_container(1), new_container(2)
    parent = back_up(first, 1, DATA)
    back_up(second, 2, DATA, parent)
    again = new_container(1)
    back_up(again, 1, some_bytes(99, len(DATA)))
    with pytest.raises(LayoutDamaged):
        restore(second, 2, [again])


@pytest.mark.parametrize("cut", [1, BLOCK, 5 * BLOCK])
def test_a_device_that_was_truncated(container: Container, cut: int) -> None:
    device = MemoryDevice(content=memory_of(container).content[: container.tail - cut])
    with pytest.raises(LayoutDamaged, match=rf"{container.id}.*ends at byte {device.size}"):
        Container.open(device)


def test_a_device_that_ends_while_it_is_read(container: Container) -> None:
    reader = BackupReader(container, identifier(1))
    # Room is left for the manifests, which lie behind each chunk's blocks.
    memory_of(container).resize(container.entries[0].start + BLOCK)
    with pytest.raises(LayoutDamaged):
        restore_onto(reader, MemorySink(len(DATA)))
