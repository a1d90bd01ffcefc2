# SPDX-License-Identifier: Apache-2.0
"""A reader written from docs/container-format.md alone restores what the other one wrote."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from datera_backup.container import Codec
from datera_backup.engine import EngineSettings
from tests.fixtures.containers.chain_of_two import HOMES, Chain, make_chain
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    some_bytes,
)
from tests.fixtures.containers.naive_reader import COPY, KINDS, naive_restore
from tests.fixtures.containers.naive_scan import LOG, naive_salvage, naive_scan, records

METADATA = KINDS[1:]


def test_the_naive_reader_restores_a_chain_over_two_containers() -> None:
    first, second = new_container(1), new_container(2)
    data = [some_bytes(1, 30 * BLOCK + 77)]
    parent = back_up(first, 1, data[0])
    data.append(changed(data[-1], 2, 5))
    parent = back_up(first, 2, data[-1], parent, EngineSettings(codec=Codec.ZLIB))
    data.append(changed(data[-1], 3, 5) + bytes(9 * BLOCK))
    parent = back_up(second, 3, data[-1], parent, EngineSettings(codec=Codec.LZ4))
    data.append(changed(data[-1], 4, 2)[: 20 * BLOCK + 1])
    back_up(second, 4, data[-1], parent)
    devices = {c.id: bytes(memory_of(c).content) for c in (first, second)}
    for backup, container in ((1, first), (2, first), (3, second), (4, second)):
        out, facts = naive_restore(devices, container.id, identifier(backup))
        assert out == data[backup - 1]
        assert facts["number"] == backup
        assert facts["volume"] == "a volume"
        blocks = facts["statistics"]
        counted = blocks["zero_blocks"] + blocks["new_blocks"] + blocks["inherited_blocks"]
        assert counted == -(-len(out) // BLOCK)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def by_id(chain: Chain, devices: list[MemoryDevice]) -> dict[UUID, bytes]:
    return {
        one.id: bytes(device.content) for one, device in zip(chain.containers, devices, strict=True)
    }


def overwritten(devices: dict[UUID, bytes], *kinds: bytes, copies: int) -> dict[UUID, bytes]:
    """Return the devices with noise over the first copies of metadata, or over both."""
    noise = random.Random(1)
    result = {}
    for container, device in devices.items():
        damaged = bytearray(device)
        for offset, raw in records(device, container):
            if raw[:8] in kinds:
                for place in (offset, offset + COPY)[:copies]:
                    damaged[place : place + len(raw)] = noise.randbytes(len(raw))
        result[container] = bytes(damaged)
    return result


def without_superblocks(devices: dict[UUID, bytes]) -> dict[UUID, bytes]:
    return {one: random.Random(2).randbytes(LOG) + device[LOG:] for one, device in devices.items()}


def test_the_naive_reader_reads_by_copies_where_all_first_ones_are_overwritten(
    chain: Chain,
) -> None:
    devices = overwritten(by_id(chain, chain.devices()), *METADATA, copies=1)
    for number, home in HOMES.items():
        out, _ = naive_restore(devices, chain.containers[home].id, identifier(number))
        assert out == chain.contents[number]


def test_the_naive_reader_needs_no_superblock(chain: Chain) -> None:
    devices = overwritten(by_id(chain, chain.devices()), *METADATA, copies=1)
    blind = without_superblocks(devices)
    found = {one: naive_scan(device, one) for one, device in blind.items()}
    living = {
        number for number in HOMES if identifier(number) in found[home_of(chain, number)].living
    }
    assert living == set(HOMES)
    assert sum(len(one.living) for one in found.values()) == len(HOMES)
    gone = set().union(*(one.gone for one in found.values()))
    assert {identifier(2), identifier(6), identifier(8)} <= gone
    for number in HOMES:
        assert (
            naive_salvage(blind, home_of(chain, number), identifier(number))
            == (chain.contents[number])
        )


def test_the_naive_reader_needs_neither_manifests_nor_pages(chain: Chain) -> None:
    whole = without_superblocks(by_id(chain, chain.devices()))
    devices = overwritten(whole, b"DBMANIFS", b"DBINDEXP", copies=2)
    assert naive_salvage(devices, home_of(chain, 1), identifier(1)) == chain.contents[1]


def home_of(chain: Chain, number: int) -> UUID:
    return chain.containers[HOMES[number]].id
