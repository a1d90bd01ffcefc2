# SPDX-License-Identifier: Apache-2.0
"""Containers of version 1 that were written once stay readable for ever.

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
    BackupNotInContainer,
    BackupReader,
    BackupUncommitted,
    Codec,
    Container,
    Digest,
    Geometry,
    Remains,
    State,
)
from tests.fixtures.devices import MemoryDevice
from tests.fixtures.moving import MemorySink, memory_of, restore_onto
from tests.fixtures.naive_reader import naive_restore

GOLDEN = Path(__file__).parents[3] / "golden"
KNOWN = {
    **json.loads((GOLDEN / "version-1.json").read_text()),
    **json.loads((GOLDEN / "version-1-third.json").read_text()),
}


def identifier(number: int) -> UUID:
    return UUID(int=(0x601D << 112) + number)


def golden(name: str) -> Container:
    content = lzma.decompress((GOLDEN / f"version-1-{name}.xz").read_bytes())
    return Container.open(MemoryDevice(content=content))


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "first"), (1, "first"), (3, "first"), (5, "second"), (6, "third"), (7, "third")],
)
def test_every_backup_comes_back(number: int, name: str) -> None:
    home, others = golden(name), [golden("first")] if name == "second" else []
    known = KNOWN[str(identifier(number))]
    sink = MemorySink(known["size"])
    restore_onto(BackupReader(home, identifier(number), others), sink)
    devices = {one.id: bytes(memory_of(one).content) for one in (home, *others)}
    plainly, _facts = naive_restore(devices, home.id, identifier(number))
    for content in (sink.content, plainly):
        assert hashlib.sha256(content).hexdigest() == known["sha256"]


def test_what_is_in_them_is_known() -> None:
    first, second = golden("first"), golden("second")
    states = [(entry.backup_id, entry.state) for entry in first.entries]
    assert states == [
        (identifier(0), State.COMMITTED),
        (identifier(1), State.COMMITTED),
        (identifier(2), State.DEAD),
        (identifier(3), State.COMMITTED),
        (identifier(4), State.OPEN),
    ]
    assert first.damaged_slots == second.damaged_slots == ()
    with pytest.raises(BackupNotInContainer, match="deleted"):
        first.commit_of(identifier(2))
    with pytest.raises(BackupUncommitted, match="2026-01-02T03:"):
        first.commit_of(identifier(4))


def test_a_commit_says_what_was_written() -> None:
    commit = golden("second").commit_of(identifier(5))
    assert commit.parent_id == identifier(3)
    assert commit.containers == (identifier(5), identifier(0))
    assert commit.codec is Codec.ZLIB
    assert commit.geometry == Geometry(block_size=4096, chunk_size=16 * 4096)
    assert commit.volume_id == "volume-größe-5"
    assert commit.metadata == {
        "number": 5,
        "name": "größe",
        "nested": {"list": [1, None, True, 2.5]},
    }
    assert commit.statistics.inherited_blocks > 0
    assert commit.statistics.zero_blocks > 0


def test_what_version_1_had_reserved() -> None:
    third = golden("third")
    reader = BackupReader(third, identifier(7))
    assert reader.commit.geometry.digest is Digest.BLAKE3
    assert reader.commit.codec is Codec.LZ4
    codecs = b"".join(chunk.codecs for n in range(3) if (chunk := reader.chunk(n)) is not None)
    assert {Codec.ZERO, Codec.RAW, Codec.LZ4} <= set(codecs)


def test_they_can_be_appended_to_and_emptied() -> None:
    first = golden("first")
    for number in (4, 3, 1):
        assert first.drop(identifier(number)) is Remains.BACKUPS
    assert first.drop(identifier(0)) is Remains.EMPTY
