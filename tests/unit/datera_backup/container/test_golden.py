# SPDX-License-Identifier: Apache-2.0
"""Containers of version 2 that were written once stay readable for ever.

The files in ``tests/golden`` are not made anew when the software changes: a test that fails here
says that containers in the field cannot be read any more.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from pathlib import Path
from uuid import UUID

import pytest

from datera_backup.container import (
    LOG_START,
    BackupNotInContainer,
    BackupReader,
    BackupUncommitted,
    Codec,
    Container,
    Digest,
    EntryState,
    Geometry,
    Remains,
    Spot,
)
from datera_backup.container.scanning import scan
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import MemorySink, memory_of, restore_onto
from tests.fixtures.containers.naive_reader import naive_restore
from tests.fixtures.containers.naive_scan import naive_salvage

GOLDEN = Path(__file__).parents[3] / "golden"
KNOWN = json.loads((GOLDEN / "version-2.json").read_text())
HOMES = {0: "first", 3: "first", 5: "second", 6: "third", 7: "third"}


def identifier(number: int) -> UUID:
    return UUID(int=(0x601D << 112) + number)


def golden(name: str) -> Container:
    content = lzma.decompress((GOLDEN / f"version-2-{name}.xz").read_bytes())
    return Container.open(MemoryDevice(content=content))


def chain_of(name: str) -> list[Container]:
    return [golden(one) for one in (name, "first")[: 2 if name == "second" else 1]]


@pytest.mark.parametrize(("number", "name"), HOMES.items())
def test_every_backup_comes_back(number: int, name: str) -> None:
    home, *others = chain_of(name)
    known = KNOWN[str(identifier(number))]
    sink = MemorySink(known["size"])
    restore_onto(BackupReader(home, identifier(number), others), sink)
    devices = {one.id: bytes(memory_of(one).content) for one in (home, *others)}
    plainly, _facts = naive_restore(devices, home.id, identifier(number))
    for content in (sink.content, plainly):
        assert hashlib.sha256(content).hexdigest() == known["sha256"]


@pytest.mark.parametrize(("number", "name"), HOMES.items())
def test_every_backup_is_found_without_superblocks(number: int, name: str) -> None:
    devices = [memory_of(one) for one in chain_of(name)]
    for device in devices:
        device.content.write(0, bytes(LOG_START))
    home, *others = map(scan, devices)
    known = KNOWN[str(identifier(number))]
    sink = MemorySink(known["size"])
    restore_onto(BackupReader(home, identifier(number), others), sink)
    plainly = naive_salvage(
        {
            one.id: bytes(device.content)
            for one, device in zip((home, *others), devices, strict=True)
        },
        home.id,
        identifier(number),
    )
    for content in (sink.content, plainly):
        assert hashlib.sha256(content).hexdigest() == known["sha256"]


@pytest.mark.parametrize("name", ["first", "second", "third"])
def test_a_scan_finds_the_living_backups_alone(name: str) -> None:
    found = scan(memory_of(golden(name)))
    assert set(found.commits) == {identifier(one) for one, home in HOMES.items() if home == name}


def test_golden_containers_have_the_recorded_contents() -> None:
    first, second = golden("first"), golden("second")
    states = [(entry.backup_id, entry.parent_id, entry.state) for entry in first.entries]
    assert states == [
        (identifier(0), None, EntryState.COMMITTED),
        (identifier(1), identifier(0), EntryState.DEAD),
        (identifier(3), identifier(1), EntryState.COMMITTED),
        (identifier(4), None, EntryState.OPEN),
    ]
    assert first.damaged_slots == second.damaged_slots == ()
    assert second.spots == (Spot(first.id, first.tail, 4096),)
    for gone in (1, 2):
        with pytest.raises(BackupNotInContainer):
            first.commit_of(identifier(gone))
    with pytest.raises(BackupUncommitted, match=r"2026-01-02T03:.* 1 segments"):
        first.commit_of(identifier(4))


def test_a_commit_says_what_was_written() -> None:
    commit = golden("second").commit_of(identifier(5))
    assert commit.parent_id == identifier(3)
    assert commit.containers == (identifier(5), identifier(0))
    assert commit.codec is Codec.ZLIB
    assert commit.geometry == Geometry(4096, 2 * 4096, Digest.SHA256)
    assert commit.volume_id == "volume-größe-5"
    assert commit.metadata == {
        "number": 5,
        "name": "größe",
        "nested": {"list": [1, None, True, 2.5]},
    }
    assert [one.backup_id for one in commit.writers] == [identifier(n) for n in (5, 3, 1, 0)]
    assert commit.all_writers
    assert commit.statistics.inherited_blocks > 0
    assert commit.statistics.zero_blocks > 0


def test_third_golden_container_has_lz4_and_blake3() -> None:
    third = golden("third")
    reader = BackupReader(third, identifier(7))
    assert reader.commit.geometry.digest is Digest.BLAKE3
    assert reader.commit.codec is Codec.LZ4
    chunks = (reader.chunk(number) for number in range(reader.chunk_count))
    codecs = b"".join(chunk.codecs for chunk in chunks if chunk is not None)
    assert {Codec.ZERO, Codec.RAW, Codec.LZ4} <= set(codecs)


def test_golden_containers_can_be_emptied() -> None:
    first = golden("first")
    second = golden("second")
    assert second.drop(identifier(5), [first]) is Remains.EMPTY
    for number in (4, 3):
        assert first.drop(identifier(number), [second]) is Remains.BACKUPS
    assert first.drop(identifier(0), [second]) is Remains.EMPTY
