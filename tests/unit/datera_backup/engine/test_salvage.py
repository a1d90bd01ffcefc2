# SPDX-License-Identifier: Apache-2.0
"""What is salvaged of damaged containers is right, and what is missing is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from uuid import UUID

import pytest

from datera_backup.container import Codec, Container
from datera_backup.container.format.geometry import digest_function
from tests.fixtures.containers.chain_of_two import GEOMETRY, HOMES, Chain, begin, make_chain, take
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    TickingClock,
    identifier,
    memory_of,
    new_container,
)
from tests.fixtures.containers.naive_reader import COPY, HEADER, KINDS, number
from tests.fixtures.containers.naive_scan import records
from tests.fixtures.containers.salvaging import BadSectors, homes_of, living, salvage

SEGMENT, COMMIT = KINDS[0], KINDS[-1]
ALL = {identifier(number) for number in HOMES}
SLOTS = (0, 2 << 20)


@pytest.fixture(scope="module")
def chain() -> Chain:
    return make_chain()


def lost_of(chain: Chain, devices: list[MemoryDevice], home: int | None = None) -> dict[int, int]:
    """Salvage living backups, hold them against what is right, and count missing bytes.

    :param home: only those whose metadata lie in one of the containers.
    :returns: those of which anything is missing; -1 where all of it is.
    """
    homes = homes_of(devices)
    assert set().union(*map(living, homes)) <= ALL
    lost = {}
    for one, right in chain.contents.items():
        if home in {None, HOMES[one]}:
            salvaged = salvage(homes, identifier(one))
            lost[one] = -1 if salvaged is None else salvaged.check(right)
    return {one: count for one, count in lost.items() if count}


@pytest.mark.parametrize("kind", ["zeros", "noise", "unreadable"])
def test_both_superblocks_overwritten_all_living_backups_come_back(chain: Chain, kind: str) -> None:
    devices: list[MemoryDevice] = []
    for device in chain.devices():
        for slot in SLOTS:
            noise = random.Random(slot).randbytes(1 << 20) if kind == "noise" else bytes(1 << 20)
            device.content.write(slot, noise)
        bad = [range(slot, slot + (1 << 20)) for slot in SLOTS] if kind == "unreadable" else []
        devices.append(BadSectors(device.content, *bad))
    homes = homes_of(devices)
    assert set().union(*map(living, homes)) == ALL
    assert lost_of(chain, devices) == {}


def each_record(chain: Chain, *kinds: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the device, first place and bytes of each record of these kinds once."""
    for place, device in enumerate(chain.devices()):
        container = chain.containers[place]
        found = {
            offset: raw
            for offset, raw in records(bytes(device.content), container.id)
            if raw[:8] in kinds
        }
        for offset, raw in found.items():
            yield place, offset, raw


def overwrite(device: MemoryDevice, at: int, length: int) -> None:
    device.content.write(at, random.Random(at).randbytes(length))


@pytest.mark.faults
@pytest.mark.parametrize("copy", [0, COPY])
def test_each_metadata_record_overwritten_once_nothing_is_missing(chain: Chain, copy: int) -> None:
    devices = chain.devices()
    count = 0
    for place, offset, raw in each_record(chain, *KINDS[1:]):
        kept = devices[place].content.copy()
        overwrite(devices[place], offset + copy, len(raw))
        assert lost_of(chain, devices, place) == {}
        devices[place].content = kept
        count += 1
    assert count > 80


@pytest.mark.faults
def test_both_copies_of_a_metadata_record_overwritten_segments_prove_the_rest(
    chain: Chain,
) -> None:
    devices = chain.devices()
    for place, offset, raw in each_record(chain, *KINDS[1:]):
        kept = devices[place].content.copy()
        for copy in (0, COPY):
            overwrite(devices[place], offset + copy, len(raw))
        lost = lost_of(chain, devices, place)
        if raw[:8] == COMMIT:
            backup = next((one for one in HOMES if identifier(one).bytes == raw[24:40]), None)
            assert lost == {backup: -1}
        else:
            assert lost == {}
        devices[place].content = kept


@pytest.mark.faults
@pytest.mark.parametrize("part", ["header", "trailer"])
def test_each_segments_own_words_overwritten_nothing_is_missing(chain: Chain, part: str) -> None:
    devices = chain.devices()
    for place, offset, raw in each_record(chain, SEGMENT):
        behind = HEADER + number(raw, 64, 4)
        at, length = (0, HEADER) if part == "header" else (behind, len(raw) - behind)
        kept = devices[place].content.copy()
        overwrite(devices[place], offset + at, length)
        assert lost_of(chain, devices) == {}
        devices[place].content = kept


def without_maps(chain: Chain) -> list[MemoryDevice]:
    """Return the devices without a manifest or an index page."""
    devices = chain.devices()
    for container, device in zip(chain.containers, devices, strict=True):
        wreck_maps(device, container.id)
    return devices


def wreck_maps(device: MemoryDevice, container: UUID) -> None:
    for offset, raw in list(records(bytes(device.content), container)):
        if raw[:8] in KINDS[1:3]:
            for copy in (0, COPY):
                overwrite(device, offset + copy, len(raw))


def test_no_manifest_left_segments_prove_everything(chain: Chain) -> None:
    assert lost_of(chain, without_maps(chain)) == {}


def test_no_manifest_and_a_segment_missing_what_is_not_proven_is_named(chain: Chain) -> None:
    devices = without_maps(chain)
    for place, offset, _raw in each_record(chain, SEGMENT):
        kept = devices[place].content.copy()
        overwrite(devices[place], offset, HEADER)
        lost_of(chain, devices)
        devices[place].content = kept


def test_a_volume_that_shrank_and_grew_has_nothing_from_before() -> None:
    container = new_container(1, 40 << 20)
    full = random.Random(1).randbytes(40 * BLOCK)
    parent = take(container, 1, full)
    parent = take(container, 2, full[: 10 * BLOCK - 7], parent)
    grown = full[: 10 * BLOCK - 7] + bytes(29 * BLOCK + 7) + full[:BLOCK]
    take(container, 3, grown, parent)
    device = memory_of(container)
    wreck_maps(device, container.id)
    salvaged = salvage(homes_of([device]), identifier(3))
    assert salvaged is not None
    assert salvaged.check(grown) == 0


class Keeping(MemoryDevice):
    """A device that can give nothing back: what was written stays until it is overwritten."""

    def discard(self, offset: int, length: int) -> bool:
        return False


def test_segments_of_an_attempt_that_failed_are_not_taken_for_the_later_ones() -> None:
    container = Container.format(Keeping(40 << 20), identifier(1), clock=TickingClock())
    failed = random.Random(1).randbytes(40 * BLOCK)
    writer = begin(container, 2, len(failed))
    digest = digest_function(GEOMETRY.digest)
    for at in range(0, len(failed), BLOCK):
        block = failed[at : at + BLOCK]
        writer.store(digest(block), Codec.RAW, block)
    right = b"".join(random.Random(at).randbytes(8) * (BLOCK // 8) for at in range(40))
    take(container, 2, right)
    device = memory_of(container)
    wreck_maps(device, container.id)
    for offset, raw in list(records(bytes(device.content), container.id)):
        if raw[:8] == SEGMENT and number(raw, 48, 8) == container.entries[0].generation:
            overwrite(device, offset, HEADER)
    salvaged = salvage(homes_of([device]), identifier(2))
    assert salvaged is not None
    assert salvaged.check(right) == len(right)
