# SPDX-License-Identifier: Apache-2.0
"""``datera-backup inspect``: what lies on a device is told, and so is what is damaged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datera_backup.command.inspection import InspectedBackup
from datera_backup.command.main import main
from datera_backup.command.report import _chunks
from datera_backup.container import Codec, FileDevice
from datera_backup.container.format.geometry import COPY_DISTANCE, SLOT_DISTANCE
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    some_bytes,
    writer_for,
)

MIB = 1 << 20
SIZE = 32 * MIB
FIRST, SECOND = str(identifier(1)), str(identifier(5))

Capture = pytest.CaptureFixture[str]
Device = Callable[..., Path]


@pytest.fixture(scope="module")
def made() -> dict[str, MemoryDevice]:
    """A chain over two containers: one backup was dropped, and one is only begun."""
    first, second = new_container(1, SIZE), new_container(5, SIZE)
    data = [some_bytes(1, 40 * BLOCK + 99)]
    data += [changed(data[0], 2, 6), some_bytes(9, 20 * BLOCK)]
    parent = back_up(first, 1, data[0])
    parent = back_up(first, 2, data[1], parent)
    back_up(first, 3, data[2])
    last = changed(data[1], 3, 6)
    parent = back_up(first, 4, last, parent)
    first.drop(identifier(3))
    back_up(second, 5, changed(last, 5, 12), parent)
    writer = writer_for(first, 6, 20 * BLOCK, living=first.committed)
    for _ in range(6):
        writer.store(bytes(32), Codec.RAW, b"x" * BLOCK)
    return {"first": memory_of(first), "second": memory_of(second)}


@pytest.fixture
def device(tmp_path: Path, made: dict[str, MemoryDevice]) -> Device:
    def write(name: str = "first") -> Path:
        path = tmp_path / name
        path.write_bytes(bytes(made[name].content))
        return path

    return write


def damaged_at(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def told(path: Path, capsys: Capture, code: int = 0) -> dict[str, Any]:
    assert main(["inspect", str(path), "-f", "json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    found: dict[str, Any] = json.loads(captured.out)
    return found


def test_all_that_a_container_says_of_itself(device: Device, capsys: Capture) -> None:
    path = device()
    before = path.read_bytes()
    found = told(path, capsys)
    assert path.read_bytes() == before
    assert (found["container"], found["device_size"], found["damage"]) == (FIRST, SIZE, [])
    newest, written = (found["superblocks"][0][what] for what in ("generation", "written"))
    assert written.startswith("2026-01-02T03:04:")
    assert found["superblocks"] == [
        {"generation": top, "written": written, "backups": 5} for top in (newest, newest - 1)
    ]
    backups = found["backups"]
    assert [one["state"] for one in backups] == [
        "committed", "committed", "dead", "committed", "open",
    ]  # fmt: skip
    assert [one.get("parent") for one in backups] == [
        None, FIRST, None, str(identifier(2)), None,
    ]  # fmt: skip
    for one in backups:
        if one["state"] != "committed":
            assert one["note"]
            continue
        assert sum(one["codecs"].values()) == one["new_blocks"] + one["inherited_blocks"]
        blocks = one["zero_blocks"] + one["new_blocks"] + one["inherited_blocks"]
        assert blocks == -(-one["volume_size"] // one["block_size"])
        assert one["stored_bytes"] <= one["new_bytes"]
        assert one["needs"] == [FIRST]
        assert 0 < one["manifests"] <= one["chunks"]
    assert "1 segments" in backups[4]["note"]


def test_a_person_sees_the_chain_and_what_it_needs(device: Device, capsys: Capture) -> None:
    assert main(["inspect", str(device("second"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"Container {SECOND}, version 2")
    (row,) = (line for line in lines if line.startswith(f"| {SECOND}"))
    for cell in (
        "committed",
        "2026-01-02 03:04",
        f"on {FIRST[:8]}…",
        "160.1 KiB",
        "14 raw, 7 zstd",
    ):
        assert cell in row
    assert row.split("|")[6].strip() == "6"  # chunks, none of them zero or inherited whole
    assert lines[-2:] == ["Some of their blocks lie in other containers:", f"  {FIRST}"]
    assert "DAMAGED" not in "".join(lines)


def test_chunks_without_a_manifest_of_their_own_are_told() -> None:
    nothing: Any = None
    some = InspectedBackup(nothing, manifests=3, chunks=5)
    assert _chunks(some, inherited=1) == "5 (2 zero, 1 inherited)"
    assert _chunks(InspectedBackup(nothing, manifests=5, chunks=5), inherited=0) == "5"


@pytest.mark.parametrize("slot", [0, 1])
def test_damaged_superblock_is_reported(device: Device, capsys: Capture, slot: int) -> None:
    path = device()
    damaged_at(path, slot * SLOT_DISTANCE + 130)
    found = told(path, capsys, code=1)
    assert found["superblocks"][slot] is None
    assert found["damage"] == [f"Superblock {slot} is damaged; the other one is used."]
    assert len(found["backups"]) == 5
    assert main(["inspect", str(path)]) == 1
    text = capsys.readouterr().out
    assert f"superblock {slot}: DAMAGED" in text
    assert text.endswith(f"DAMAGED:\n  {found['damage'][0]}\n")


def last(path: Path, kind: bytes, backup: dict[str, Any]) -> tuple[int, int]:
    """Where the last record of a kind in a backup's range lies, and its first copy."""
    copy = path.read_bytes().rindex(kind, backup["start"], backup["end"])
    return copy - COPY_DISTANCE, copy


def test_one_copy_of_a_manifest_is_damage_that_the_other_makes_up_for(
    device: Device, capsys: Capture
) -> None:
    path = device()
    sound = told(path, capsys)
    manifest, _ = last(path, b"DBMANIFS", sound["backups"][0])
    damaged_at(path, manifest + 100)
    found = told(path, capsys, code=1)
    assert found["damage"] == [f"The metadata at byte {manifest} is damaged; its copy is used."]
    assert found["backups"] == sound["backups"]


def test_a_manifest_and_a_commit_record_that_are_damaged(device: Device, capsys: Capture) -> None:
    path = device()
    sound = told(path, capsys)["backups"]
    manifests = last(path, b"DBMANIFS", sound[0])
    for at in (*manifests, *last(path, b"DBCOMMIT", sound[1])):
        damaged_at(path, at + 100)
    found = told(path, capsys, code=1)
    first, second, *others = found["backups"]
    assert len(first["damage"]) == 1
    assert f"of backup {FIRST}" in first["damage"][0]
    assert f"is damaged: at byte {manifests[0]} " in first["damage"][0]
    assert first["new_blocks"] == sound[0]["new_blocks"]
    assert "The commit record" in second["damage"][0]
    assert "volume" not in second
    assert not any(one["damage"] for one in others if one["state"] != "committed")
    assert set(found["damage"]) >= {*first["damage"], *second["damage"]}


def test_inspect_imports_no_cinder(device: Device) -> None:
    script = (
        "import sys; from datera_backup.command.main import main; "
        f"code = main(['inspect', {str(device())!r}]); "
        "sys.exit(code or 'cinder' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_no_container_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "device"
    path.write_bytes(bytes(5 * MIB))
    cases = {
        path: (1, "The device was never formatted as a container."),
        tmp_path / "nothing": (2, "cannot be read: No such file or directory."),
        tmp_path: (2, "is neither a block device nor a file."),
    }
    for one, (code, reason) in cases.items():
        assert main(["inspect", str(one)]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"datera-backup: {one}")
        assert captured.err.endswith(f"{reason}\n")


def test_a_later_version_is_told_and_not_taken_for_damage(device: Device, capsys: Capture) -> None:
    import hashlib

    path = device()
    raw = bytearray(path.read_bytes())
    for at in (0, SLOT_DISTANCE):
        length = int.from_bytes(raw[at + 60 : at + 64], "little")
        raw[at + 8] = 3
        raw[at + 96 : at + 128] = bytes(32)
        raw[at + 96 : at + 128] = hashlib.sha256(raw[at : at + length]).digest()
    path.write_bytes(raw)
    assert main(["inspect", str(path)]) == 3
    assert "has version 3 (flags 0x0) of the format; this software supports version 2" in (
        capsys.readouterr().err
    )


def test_inspect_what_cannot_be_read_is_not_called_damaged(
    device: Device, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = device()
    sound = told(path, capsys)
    assert (sound["result"], sound["not_known"]) == ("sound", [])
    manifests = last(path, b"DBMANIFS", sound["backups"][3])
    commits = last(path, b"DBCOMMIT", sound["backups"][1])
    pread = FileDevice.pread

    def fails_at(*spots: int) -> None:
        def failing(self: FileDevice, offset: int, buffer: memoryview) -> None:
            if any(offset <= spot < offset + len(buffer) for spot in spots):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            pread(self, offset, buffer)

        monkeypatch.setattr(FileDevice, "pread", failing)

    fails_at(*manifests)
    found = told(path, capsys, code=3)
    assert (found["result"], found["damage"]) == ("not known", [])
    assert f"Whether backup {identifier(4)} is sound: The manifest of" in found["not_known"][0]
    assert found["backups"][1]["codecs"] == sound["backups"][1]["codecs"]
    assert main(["inspect", str(path)]) == 3
    assert "NOT KNOWN:\n  Whether backup" in capsys.readouterr().out

    # What is proven stands beside it.
    for commit in commits:
        damaged_at(path, commit + 100)
    found = told(path, capsys, code=1)
    assert (found["result"], bool(found["not_known"])) == ("DAMAGED", True)

    fails_at(0, SLOT_DISTANCE)
    assert main(["inspect", str(path)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"datera-backup: {path}: Neither superblock of the container")
    assert "number 0 is unreadable, number 1 is unreadable" in captured.err
