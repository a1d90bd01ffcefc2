# SPDX-License-Identifier: Apache-2.0
"""What a scan of a container says of it, and what does not mislead it."""

from __future__ import annotations

import dataclasses
import random

import pytest

from datera_backup.container import LOG_START, Container, Geometry, NotAContainer
from datera_backup.container.format import commit as commits
from datera_backup.container.format.log_record import COMMIT, Header, Owner
from datera_backup.container.scanning import scan
from tests.fixtures.containers.chain_of_two import GONE, HOMES, Chain, make_chain, sparse, take
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import BLOCK, identifier, memory_of, new_container
from tests.fixtures.containers.salvaging import homes_of, salvage


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def test_a_scan_finds_living_backups_and_tells_them_from_deleted_ones(chain: Chain) -> None:
    for place, device in enumerate(chain.devices()):
        device.content.write(0, random.Random(1).randbytes(LOG_START))
        found = scan(device)
        assert found.id == chain.containers[place].id
        expected = {identifier(number) for number, home in HOMES.items() if home == place}
        assert set(found.commits) == expected
        assert not set(found.commits) & {identifier(number) for number in GONE}


def test_a_device_without_a_record_is_no_container() -> None:
    with pytest.raises(NotAContainer):
        scan(MemoryDevice(5 << 20))


@pytest.mark.parametrize("blocks", [12, 400])
def test_a_commit_record_whose_erasure_was_lost_is_of_a_deleted_backup(blocks: int) -> None:
    container = new_container(1, 40 << 20)
    take(container, 1, sparse(1, 40))
    take(container, 2, random.Random(2).randbytes(2 << 20))
    commit = container.entries[-1].commit
    assert commit is not None
    before = memory_of(container).copy().content
    container.drop(identifier(2))
    take(container, 3, random.Random(3).randbytes(blocks << 12))
    device = memory_of(container)
    for place in (commit.offset, commit.offset + (2 << 20)):
        if not any(device.content.read(place, commit.length)):
            device.content.write(place, before.read(place, commit.length))
    assert set(scan(device).commits) == {identifier(1), identifier(3)}


def blind(container: Container) -> MemoryDevice:
    """Return a copy of the device whose superblocks are gone."""
    device = memory_of(container).copy()
    device.content.write(0, bytes(LOG_START))
    return device


def test_a_volume_that_holds_a_container_does_not_mislead_a_scan(chain: Chain) -> None:
    image = bytes(memory_of(chain.containers[1]).content)
    container = new_container(9, 64 << 20)
    take(container, 9, image, geometry=Geometry(BLOCK, 256 * BLOCK))
    device = blind(container)
    assert set(scan(device).commits) == {identifier(9)}
    salvaged = salvage(homes_of([device]), identifier(9))
    assert salvaged is not None
    assert salvaged.check(image) == 0


def test_a_volume_that_holds_its_own_container_does_not_mislead_a_scan() -> None:
    container = new_container(1, 64 << 20)
    parent = take(container, 1, random.Random(1).randbytes(1 << 20))
    image = memory_of(container).content.read(0, container.tail)
    parent = take(container, 2, image, parent)
    larger = memory_of(container).content.read(0, container.tail)
    take(container, 3, larger, parent)
    container.drop(identifier(2))
    device = blind(container)
    assert set(scan(device).commits) == {identifier(1), identifier(3)}
    salvaged = salvage(homes_of([device]), identifier(3))
    assert salvaged is not None
    assert salvaged.check(larger) == 0


def test_a_record_forged_in_a_volume_where_it_will_lie_does_not_mislead_a_scan() -> None:
    """Whoever writes the volume knows its id and may foresee where a block will lie."""
    data = bytearray(random.Random(1).randbytes(40 * BLOCK))
    rehearsal = new_container(1)
    reader = take(rehearsal, 1, bytes(data))
    chunk = reader.chunk(3)
    assert chunk is not None
    block = chunk.location(0).offset
    place = -(-block // 512) * 512
    forged = dataclasses.replace(
        reader.commit, backup_id=identifier(66), start=LOG_START, containers=(rehearsal.id,)
    )
    payload = commits.encode(forged)
    header = Header(
        COMMIT,
        Owner(rehearsal.id, identifier(66), 1 << 40),
        0,
        place,
        len(payload),
        len(payload),
        0,
        1,
    )
    raw = header.seal(payload) + payload
    at = 6 * BLOCK + place - block
    data[at : at + len(raw)] = raw
    container = new_container(1)
    take(container, 1, bytes(data))
    device = blind(container)
    assert device.content.read(place, len(raw)) == raw
    assert set(scan(device).commits) == {identifier(1)}
