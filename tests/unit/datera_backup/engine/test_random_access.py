# SPDX-License-Identifier: Apache-2.0
"""Any range of a backup is read right, and damage costs the blocks that are damaged."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from datera_backup.container import (
    BackupNotInContainer,
    BackupReader,
    Codec,
    Container,
    ContainerMissing,
    DamageKind,
)
from datera_backup.container.format.log_record import places
from datera_backup.engine import ContainerSilent, EngineSettings, RandomAccess
from datera_backup.engine.random_access.kept import Kept
from datera_backup.engine.recovery import Missing
from tests.fixtures.containers.chain_of_two import HOMES, Chain, make_chain
from tests.fixtures.containers.devices import BrokenDevice, MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    TickingClock,
    back_up,
    identifier,
    memory_of,
    new_container,
)

RAW = EngineSettings(workers=1, depth=2, batch_size=8 * BLOCK, codec=Codec.RAW)
DATA = random.Random(1).randbytes(24 * BLOCK)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def opened(chain: Chain, number: int) -> RandomAccess:
    home = chain.containers[HOMES[number]]
    return RandomAccess(BackupReader(home, identifier(number), chain.containers))


def bytes_of(data: RandomAccess, offset: int, length: int) -> tuple[bytes, list[Missing]]:
    buffer = bytearray(b"\xee" * length)
    missing = data.read_into(offset, memoryview(buffer))
    return bytes(buffer), missing


@pytest.mark.parametrize("number", HOMES)
def test_every_range_of_every_backup_of_a_chain(chain: Chain, number: int) -> None:
    expected, data = chain.contents[number], opened(chain, number)
    assert data.size == len(expected)
    assert bytes_of(data, 0, data.size) == (expected, [])
    chance = random.Random(number)
    for _ in range(200):
        offset = chance.randrange(data.size + 1)
        length = min(chance.choice([0, 1, 511, BLOCK, 5 * BLOCK + 3]), data.size - offset)
        assert bytes_of(data, offset, length) == (expected[offset : offset + length], [])


@pytest.mark.parametrize("number", HOMES)
def test_extents_are_the_blocks_that_are_not_zero(chain: Chain, number: int) -> None:
    expected, data = chain.contents[number], opened(chain, number)
    blocks = {at for at in range(0, len(expected), BLOCK) if any(expected[at : at + BLOCK])}
    found: set[int] = set()
    end = -1
    for offset, length in data.extents():
        assert end < offset, "neighbours are one"
        end = offset + length
        found |= set(range(offset, end, BLOCK))
    assert found == blocks
    assert end <= len(expected)


def test_many_threads_read_the_same_backup(chain: Chain) -> None:
    expected, data = chain.contents[7], opened(chain, 7)

    def read(seed: int) -> bool:
        chance = random.Random(seed)
        for _ in range(40):
            offset = chance.randrange(data.size - 3 * BLOCK)
            found, missing = bytes_of(data, offset, 2 * BLOCK + 7)
            if missing or found != expected[offset : offset + 2 * BLOCK + 7]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(16)))


def test_manifests_and_blocks_are_kept_in_bounded_memory(chain: Chain) -> None:
    data = opened(chain, 7)
    data._chunks, data._partial = Kept(3), Kept(2)
    for at in range(0, data.size - 10, BLOCK):
        bytes_of(data, at + 5, 3)
    assert (len(data._chunks), len(data._partial)) == (3, 2)


def test_neighbouring_reads_of_a_block_read_it_once() -> None:
    container = new_container(1)
    reader = back_up(container, 1, DATA, settings=RAW)
    device = BrokenDevice(memory_of(container))
    data = RandomAccess(
        BackupReader(Container.open(device, container.id, clock=TickingClock()), identifier(1))
    )
    bytes_of(data, 0, 512)
    (place,) = locations(reader, [0])
    device.unreadable.append(place)
    assert bytes_of(data, 512, 512) == (DATA[512:1024], [])


@pytest.mark.parametrize("range_", [(-1, 1), (0, 24 * BLOCK + 1), (24 * BLOCK, 1)])
def test_a_range_outside_the_volume_is_refused(range_: tuple[int, int]) -> None:
    container = new_container(1)
    data = RandomAccess(back_up(container, 1, DATA, settings=RAW))
    with pytest.raises(ValueError, match="are not in a volume of"):
        bytes_of(data, *range_)


def test_a_container_that_is_not_there_is_named_when_it_is_opened(chain: Chain) -> None:
    with pytest.raises(ContainerMissing):
        RandomAccess(BackupReader(chain.containers[1], identifier(7)))


# Damage


def locations(reader: BackupReader, blocks: list[int]) -> list[tuple[int, int]]:
    """Where the stored bytes of blocks begin and end."""
    found = []
    for block in blocks:
        number, place = divmod(block, reader.commit.geometry.blocks_per_chunk)
        chunk = reader.chunk(number)
        assert chunk is not None
        _, offset, length, _ = chunk.location(place)
        found.append((offset, offset + length))
    return found


class Broken:
    """A backup on a device that fails where a test wants it to."""

    def __init__(self) -> None:
        container = new_container(1)
        self.reader = back_up(container, 1, DATA, settings=RAW)
        self.memory: MemoryDevice = memory_of(container)
        self.device = BrokenDevice(self.memory)
        self.container = Container.open(self.device, container.id, clock=TickingClock())
        self.data = RandomAccess(BackupReader(self.container, identifier(1)))

    def damage(self, block: int, finding: DamageKind) -> None:
        ((start, end),) = locations(self.reader, [block])
        if finding is DamageKind.UNREADABLE:
            self.device.unreadable.append((start, end))
        elif finding is DamageKind.DAMAGED:
            self.device.content.flip(start + 7)
        else:
            self.device.content.write(start, bytes(end - start))


@pytest.mark.parametrize("finding", list(DamageKind))
@pytest.mark.parametrize("block", [0, 7, 23])
def test_a_damaged_block_is_named_and_the_others_come(block: int, finding: DamageKind) -> None:
    broken = Broken()
    broken.damage(block, finding)
    expected = bytearray(DATA)
    expected[block * BLOCK : (block + 1) * BLOCK] = bytes(BLOCK)
    found, (missing,) = bytes_of(broken.data, 0, len(DATA))
    assert found == expected
    assert (missing.offset, missing.length) == (block * BLOCK, BLOCK)
    assert f"Block {block} of backup {identifier(1)}" in missing.reason
    assert finding.value in missing.reason
    found, (missing,) = bytes_of(broken.data, block * BLOCK + 5, 10)
    assert (found, missing.offset, missing.length) == (bytes(10), block * BLOCK + 5, 10)


def test_a_damaged_manifest_takes_its_chunk_along() -> None:
    broken = Broken()
    ref = broken.reader.manifest_ref(0)
    assert ref is not None
    for place in places(ref.offset):
        broken.memory.content.flip(place + 130)
    size = broken.reader.commit.geometry.chunk_size
    found, (missing,) = bytes_of(broken.data, 0, len(DATA))
    assert found == bytes(size) + DATA[size:]
    assert (missing.offset, missing.length) == (0, size)
    assert "manifest of chunk 0" in missing.reason
    assert list(broken.data.extents()) == [(0, len(DATA))]


def silent(broken: Broken) -> None:
    broken.device.unreadable.append((0, broken.device.size))


def deleted(broken: Broken) -> None:
    other = Container.open(broken.memory, broken.container.id, clock=TickingClock())
    other.drop(identifier(1))


@pytest.mark.parametrize(
    ("meanwhile", "error", "said"),
    [
        (silent, ContainerSilent, "no longer answers"),
        (deleted, BackupNotInContainer, "was deleted from"),
    ],
)
def test_what_happens_to_the_container_meanwhile_is_not_damage(
    meanwhile: Callable[[Broken], None], error: type[Exception], said: str
) -> None:
    broken = Broken()
    bytes_of(broken.data, 0, BLOCK)
    meanwhile(broken)
    with pytest.raises(error, match=said):
        bytes_of(broken.data, 5 * BLOCK, BLOCK)
