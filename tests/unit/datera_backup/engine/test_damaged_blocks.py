# SPDX-License-Identifier: Apache-2.0
"""Damaged blocks are told one by one, cost themselves alone, and are not handed down."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import (
    BackupReader,
    BlockDamaged,
    Codec,
    Container,
    DamageKind,
    ManifestDamaged,
    Spot,
)
from datera_backup.engine import Damage, EngineSettings, RestoreJob
from tests.fixtures.containers.devices import BrokenDevice
from tests.fixtures.containers.metadata import records_of
from tests.fixtures.containers.moving import (
    BLOCK,
    MemorySink,
    TickingClock,
    back_up,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    restore_onto,
    verify,
)

BLOCKS = 24
LARGE = EngineSettings(workers=2, depth=3, batch_size=8 * BLOCK, codec=Codec.RAW)
KINDS = list(DamageKind)


def noise(seed: int, blocks: int = BLOCKS) -> bytes:
    return random.Random(seed).randbytes(blocks * BLOCK)


DATA = noise(1)


class Broken:
    """A backup of which some blocks were damaged, each in one way."""

    def __init__(self, damages: dict[int, DamageKind]) -> None:
        container = new_container(1)
        reader = back_up(container, 1, DATA, settings=LARGE)
        self.device = BrokenDevice(memory_of(container))
        self.container = Container.open(self.device, container.id, clock=TickingClock())
        self.places: dict[int, tuple[int, int]] = {}
        for block, finding in damages.items():
            number, place = divmod(block, reader.commit.geometry.blocks_per_chunk)
            chunk = reader.chunk(number)
            assert chunk is not None
            _, offset, length, _ = chunk.location(place)
            self.places[block] = offset, length
            if finding is DamageKind.UNREADABLE:
                self.device.unreadable.append((offset, offset + length))
            elif finding is DamageKind.DAMAGED:
                self.device.content.flip(offset + length // 2)
            else:
                self.device.content.write(offset, bytes(length))

    @property
    def reader(self) -> BackupReader:
        return BackupReader(self.container, identifier(1))


def assert_names(damage: Damage, broken: Broken, block: int, finding: DamageKind) -> None:
    error = damage.error
    assert isinstance(error, BlockDamaged)
    offset, length = broken.places[block]
    assert (damage.offset, damage.length) == (block * BLOCK, BLOCK)
    assert (error.block, error.source_offset, error.finding) == (block, block * BLOCK, finding)
    assert (error.backup_id, error.container_id) == (identifier(1), broken.container.id)
    assert (error.device_offset, error.length) == (offset, length)
    for part in (block, identifier(1), block * BLOCK, finding.value, broken.container.id, offset):
        assert str(part) in str(error)


@pytest.mark.parametrize("finding", KINDS)
@pytest.mark.parametrize("block", [0, 3, 7, 12, 23])
def test_a_block_in_the_middle_of_what_is_read_at_once(block: int, finding: DamageKind) -> None:
    broken = Broken({block: finding})
    with pytest.raises(BlockDamaged) as caught:
        restore(broken.container, 1)
    assert_names(Damage(block * BLOCK, BLOCK, caught.value), broken, block, finding)
    (damage,) = verify(broken.reader)
    assert_names(damage, broken, block, finding)


def restored_past(reader: BackupReader, size: int) -> tuple[bytes, list[Damage]]:
    sink, found = MemorySink(size), list[Damage]()
    job = RestoreJob(reader, sink, write_zeros=True, settings=LARGE, on_damage=found.append)
    job.start()
    report = job.result()
    assert sink.flushed
    assert report.bytes_written == size - sum(damage.length for damage in found)
    return bytes(sink.content), found


@pytest.mark.parametrize("seed", range(30))
def test_all_damaged_blocks_are_found_and_just_these_are_left_out(seed: int) -> None:
    rng = random.Random(seed)
    damages = {at: rng.choice(KINDS) for at in rng.sample(range(BLOCKS), rng.randint(1, BLOCKS))}
    broken = Broken(damages)
    for found in (verify(broken.reader), restored_past(broken.reader, len(DATA))[1]):
        assert sorted(damage.offset // BLOCK for damage in found) == sorted(damages)
        for damage in found:
            block = damage.offset // BLOCK
            assert_names(damage, broken, block, damages[block])
    expected = bytearray(DATA)
    for block in damages:
        expected[block * BLOCK : (block + 1) * BLOCK] = b"\xee" * BLOCK
    assert restored_past(broken.reader, len(DATA))[0] == expected


def test_a_manifest_takes_its_chunk_with_it_and_no_other() -> None:
    broken = Broken({20: DamageKind.DAMAGED})
    entry = broken.container.entries[0]
    assert entry.commit is not None
    record = list(records_of(broken.reader, entry.commit))[-2]
    assert record.what == "manifest of chunk 1"
    for at, end in record.ranges:
        broken.device.unreadable.append((at, end))
    content, found = restored_past(broken.reader, len(DATA))
    manifest, block = sorted(found, key=lambda one: one.offset)
    assert (manifest.offset, manifest.length) == (8 * BLOCK, 8 * BLOCK)
    assert isinstance(manifest.error, ManifestDamaged)
    assert manifest.error.finding is DamageKind.UNREADABLE
    assert (block.offset, block.length) == (20 * BLOCK, BLOCK)
    assert content[: 8 * BLOCK] == DATA[: 8 * BLOCK]
    assert content[8 * BLOCK : 16 * BLOCK] == b"\xee" * 8 * BLOCK


def test_a_block_that_cannot_be_read_again_is_named() -> None:
    """Its first reading gives other bytes, its second one an error."""

    class Failing(BrokenDevice):
        def forget(self, offset: int = 0, length: int | None = None) -> None:
            if (offset, length) == place:
                self.unreadable.append((offset, offset + place[1]))

    broken = Broken({5: DamageKind.DAMAGED})
    place = broken.places[5]
    broken.container = Container.open(Failing(broken.device), clock=TickingClock())
    (damage,) = verify(broken.reader)
    assert_names(damage, broken, 5, DamageKind.UNREADABLE)


def remember(container: Container, found: list[Damage]) -> None:
    errors = [damage.error for damage in found]
    assert all(isinstance(error, BlockDamaged) for error in errors)
    container.remember(
        Spot(one.container_id, one.device_offset, one.length)
        for one in errors
        if isinstance(one, BlockDamaged)
    )


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("finding", KINDS)
def test_what_was_found_bad_is_stored_anew_by_the_next_incremental(
    finding: DamageKind, elsewhere: bool
) -> None:
    broken = Broken({2: finding, 9: finding, 10: finding})
    home = broken.container
    # Inherited before anybody knew: it cannot be restored.
    back_up(home, 2, DATA, broken.reader)
    with pytest.raises(BlockDamaged):
        restore(home, 2)
    remember(home, verify(BackupReader(home, identifier(2))))
    assert len(home.spots) == 3
    home = Container.open(broken.device, home.id, clock=TickingClock())
    parent = BackupReader(home, identifier(2))
    target = new_container(5) if elsewhere else home
    reader = back_up(target, 3, DATA, parent)
    assert reader.commit.statistics.new_blocks == 3
    assert restore(target, 3, [home]) == DATA
    # And from then on it is whole again, and nothing of it is stored once more.
    reader = back_up(target, 4, DATA, reader)
    assert reader.commit.statistics.new_blocks == 0
    assert restore(target, 4, [home]) == DATA


def test_what_was_found_bad_is_written_down_once() -> None:
    broken = Broken({2: DamageKind.DAMAGED})
    generations = []
    for _ in range(2):
        remember(broken.container, verify(broken.reader))
        generations.append(broken.container.spots)
    assert generations[0] == generations[1] == reopened(broken.container).spots
    assert len(generations[0]) == 1


def test_what_is_written_where_a_bad_block_was_is_trusted() -> None:
    broken = Broken({2: DamageKind.DAMAGED})
    remember(broken.container, verify(broken.reader))
    broken.container.drop(identifier(1))
    assert broken.container.spots == ()
    reader = back_up(broken.container, 2, DATA, settings=LARGE)
    reader = back_up(broken.container, 3, DATA, reader)
    assert reader.commit.statistics.new_blocks == 0


@pytest.mark.parametrize("which", range(1, 5))
def test_a_parent_whose_metadata_is_damaged_hands_nothing_bad_down(which: int) -> None:
    """Its index page and each of its manifests, in both copies: blocks below are stored anew."""
    broken = Broken({})
    entry = broken.container.entries[0]
    assert entry.commit is not None
    record = list(records_of(broken.reader, entry.commit))[which]
    for at, _ in record.ranges:
        broken.device.content.flip(at + 130)
    reader = back_up(broken.container, 2, DATA, broken.reader)
    expected = BLOCKS if record.what.startswith("index") else 8
    assert reader.commit.statistics.new_blocks == expected
    assert restore(broken.container, 2) == DATA
    sink = MemorySink(len(DATA))
    with pytest.raises(ManifestDamaged):
        restore_onto(broken.reader, sink)
