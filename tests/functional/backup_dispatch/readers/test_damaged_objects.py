# SPDX-License-Identifier: Apache-2.0
"""What a reader of Cinder's chunked backups finds: damage, outage and deletion are three things."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.verdicts import Chain, away, begun, on_reading, raises

pytestmark = pytest.mark.long

MIB = 2**20
OFFSET = 4 * MIB
Open = Callable[..., Any]


@pytest.fixture
def chain(start_dispatching: Callable[..., Any], shelf: Path, tmp_path: Path) -> Chain:
    return begun(start_dispatching, shelf, tmp_path)


@pytest.fixture
def opened(chain: Chain, tmp_path: Path) -> Iterator[Open]:
    """Open the incremental, or another backup; all are closed at the end."""
    from oslo_config import cfg

    from backup_dispatch.backends.configured import configured
    from backup_dispatch.drivers.readers import open_reader
    from backup_dispatch.lineage import chain_of

    with ExitStack() as opened:

        def open_(backup: Any = None, backend: str = "shelf_driver") -> Any:
            record = chain.cinder.backup((backup or chain.backup).id)
            backends: Any = configured(cfg.CONF)
            driver = backends.named(backend).make(chain.cinder.context)
            backups = chain_of(chain.cinder.context, record).backups
            return opened.enter_context(closing(open_reader(driver, backups, tmp_path)))

        yield open_


def content(chain: Chain) -> bytes:
    volume = chain.cinder.volume(chain.full.volume_id)
    data: bytes = chain.cinder.read(volume, 0, 12 * MIB)
    return data


def read(data: Any, offset: int = 0, length: int = 12 * MIB) -> tuple[bytes, list[Any]]:
    buffer = bytearray(b"\xee" * length)
    missing = data.read_into(offset, memoryview(buffer))
    return bytes(buffer), list(missing)


def block_size(chain: Chain) -> int:
    size: int = json.loads(chain.file("_sha256file").read_text())["chunk_size"]
    return size


def entry_of(chain: Chain, file: Path) -> Any:
    """What the full backup's metadata says of an object, and how to write it back."""
    metadata = json.loads(chain.file("_metadata").read_text())
    (entry,) = (one[file.name] for one in metadata["objects"] if file.name in one)
    return metadata, entry


def stored_as(chain: Chain, file: Path, body: bytes, compression: str) -> None:
    metadata, entry = entry_of(chain, file)
    entry["compression"] = compression
    chain.file("_metadata").write_text(json.dumps(metadata))
    file.write_bytes(body)


def plain_of(chain: Chain, file: Path) -> bytes:
    from backup_dispatch.drivers.readers.stored import Stored, decompressed

    _, entry = entry_of(chain, file)
    stored = Stored(file.name, entry["offset"], entry["length"], entry["compression"], "")
    return bytes(decompressed(stored, file.read_bytes()))


def test_both_backups_of_a_chain_read_as_the_volume_was(chain: Chain, opened: Open) -> None:
    expected = content(chain)
    data = opened()
    assert (data.size, read(data)) == (16 * MIB, (expected, []))
    size = block_size(chain)
    blocks = {at for at in range(0, len(expected), size) if any(expected[at : at + size])}
    found = {at for start, length in data.extents() for at in range(start, start + length, size)}
    assert found == blocks


@pytest.mark.parametrize("compression", ["none", "zlib"])
@pytest.mark.parametrize("small", [2**26, 1])
def test_one_changed_byte_costs_its_block_alone(
    chain: Chain, opened: Open, compression: str, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.drivers.readers import unpacked

    monkeypatch.setattr(unpacked, "SMALL", small)
    file = chain.file("-00001")
    plain = bytearray(plain_of(chain, file))
    plain[MIB + 5] ^= 1
    body = bytes(plain) if compression == "none" else zlib.compress(plain)
    stored_as(chain, file, body, compression)
    expected, size = bytearray(content(chain)), block_size(chain)
    expected[MIB : MIB + size] = bytes(size)
    found, (missing,) = read(opened())
    assert found == expected
    assert (missing.offset, missing.length) == (MIB, size)
    assert missing.reason == (
        f"object {file.name}: the block at byte {MIB} has not the sha256 in the list"
    )


@pytest.mark.parametrize(("small", "most"), [(2**26, 1), (1, 0)])
def test_unpacked_objects_take_bounded_memory_and_few_files(
    chain: Chain, opened: Open, small: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.drivers.readers import unpacked

    monkeypatch.setattr(unpacked, "SMALL", small)
    monkeypatch.setattr(unpacked, "_MOST_IN_MEMORY", MIB)
    monkeypatch.setattr(unpacked, "_MOST_FILES", 1)
    data = opened()
    assert read(data) == (content(chain), [])
    kept = list(data._objects._kept.values())
    assert len(kept) == 1
    assert [one.is_in_file for one in kept].count(False) == most


def test_what_comes_before_broken_compression_is_read(chain: Chain, opened: Open) -> None:
    file = chain.file("-00001")
    plain = plain_of(chain, file)
    at = MIB + 3 * block_size(chain)
    head = zlib.compressobj()
    body = head.compress(plain[:at]) + head.flush(zlib.Z_FULL_FLUSH)
    stored_as(chain, file, body, "zlib")
    found, missing = read(opened())
    assert found[:at] == content(chain)[:at]
    (reason,) = {one.reason for one in missing}
    assert reason.startswith(f"object {file.name}: its zlib data is broken")
    assert missing[0].offset == at


def test_missing_object_costs_what_no_newer_backup_has(chain: Chain, opened: Open) -> None:
    chain.file("-00001").unlink()
    expected = content(chain)
    found, missing = read(opened())
    (reason,) = {one.reason for one in missing}
    assert reason.endswith("-00001 is missing")
    assert found[9 * MIB :] == expected[9 * MIB :]
    # What is zeros by its digest is known all the same.
    assert sum(one.length for one in missing) < 2 * MIB


@pytest.mark.parametrize("ending", ["_metadata", "_sha256file"])
@pytest.mark.parametrize("body", [None, b"", b"{}"])
def test_without_metadata_or_digests_nothing_is_opened(
    chain: Chain, opened: Open, ending: str, body: bytes | None
) -> None:
    from backup_dispatch.errors import DataDamaged

    file = chain.file(ending)
    if body is None:
        file.unlink()
    else:
        file.write_bytes(body)
    with pytest.raises(DataDamaged, match=f"Backup {chain.full.id} cannot be opened: .*{ending}"):
        opened(chain.full)


def test_an_answer_that_was_wrong_once_is_no_damage(
    chain: Chain, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = content(chain)
    on_reading(monkeypatch, "-00001", raises(ConnectionResetError(104, "reset")), times=1)
    assert read(opened()) == (expected, [])


def outage(chain: Chain) -> str:
    chain.shelf.rename(away(chain.shelf))
    return "the backend does not answer any more|is empty|cannot be read"


def deletion(chain: Chain) -> str:
    for file in Path(chain.shelf, chain.full.container).iterdir():
        file.unlink()
    chain.write(chain.full, status="deleting")
    return f"backup {chain.full.id} is being deleted"


@pytest.mark.parametrize("happen", [outage, deletion])
def test_what_is_gone_meanwhile_is_not_known(
    chain: Chain, opened: Open, happen: Callable[[Chain], str]
) -> None:
    from backup_dispatch.errors import VerdictUnknown

    data = opened()
    with chain.mended_afterwards():
        said = happen(chain)
        if happen is outage:
            chain.shelf.mkdir()
        with pytest.raises(VerdictUnknown, match=said):
            read(data)


def test_a_parent_without_a_record_is_told(chain: Chain, tmp_path: Path) -> None:
    from backup_dispatch.drivers.readers.chunked import ChunkedData
    from backup_dispatch.errors import VerdictUnknown

    with pytest.raises(VerdictUnknown, match=f"{chain.full.id}, which has no record"):
        ChunkedData(None, [chain.backup], tmp_path)


# Drivers that can only restore


def test_a_driver_that_can_only_restore_is_read_from_scratch_space(
    chain: Chain, opened: Open, tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    data = opened(chain.tape, "tape_driver")
    # The tape has the first MiB of the volume, which is zeros.
    assert (data.size, read(data), list(data.extents())) == (2**30, (bytes(12 * MIB), []), [])
    assert chain.cinder.backup(chain.tape.id).status == "available"
    (chain.tapes / chain.tape.id).write_bytes(b"tape" * 1000)
    data = opened(chain.tape, "tape_driver")
    assert read(data, 0, 4008) == (b"tape" * 1000 + bytes(8), [])
    (extent,) = data.extents()
    assert extent[0] == 0
    assert 4000 <= extent[1] <= 65536
    assert set(tmp_path.iterdir()) == before
    with pytest.raises(ValueError, match="the volume has"):
        read(data, 2**30 - 5, 6)


def test_a_tape_that_is_gone_is_damage_unless_it_is_being_deleted(
    chain: Chain, opened: Open
) -> None:
    from backup_dispatch.errors import DataDamaged, VerdictUnknown

    (chain.tapes / chain.tape.id).unlink()
    with pytest.raises(DataDamaged, match="the backend has nothing of it"):
        opened(chain.tape, "tape_driver")
    chain.write(chain.tape, status="deleting")
    with pytest.raises(VerdictUnknown, match=f"backup {chain.tape.id} is being deleted"):
        opened(chain.tape, "tape_driver")


def test_a_full_scratch_folder_is_named(
    chain: Chain, opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from backup_dispatch.errors import ScratchFull

    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    (chain.tapes / chain.tape.id).write_bytes(b"tape" * 1000)
    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(ScratchFull, match=f"The scratch folder {tmp_path} does not take"):
        opened(chain.tape, "tape_driver")
