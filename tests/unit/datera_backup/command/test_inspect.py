# SPDX-License-Identifier: Apache-2.0
"""``datera-backup inspect``: what lies on a device is told, and so is what is damaged."""

from __future__ import annotations

import errno
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datera_backup.command.inspection import Backup
from datera_backup.command.main import main
from datera_backup.command.report import _chunks
from datera_backup.container import FileDevice

GOLDEN = Path(__file__).parents[3] / "golden"
FIRST = "601d0000-0000-0000-0000-000000000000"
MIB = 1 << 20
ENDS = ("start", "end")

Capture = pytest.CaptureFixture[str]


def device(folder: Path, name: str = "first") -> Path:
    path = folder / name
    path.write_bytes(lzma.decompress((GOLDEN / f"version-1-{name}.xz").read_bytes()))
    return path


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


def test_all_that_a_container_says_of_itself(tmp_path: Path, capsys: Capture) -> None:
    path = device(tmp_path)
    before = path.read_bytes()
    found = told(path, capsys)
    assert path.read_bytes() == before
    assert (found["container"], found["device_size"], found["damage"]) == (FIRST, 3 * MIB, [])
    assert found["superblocks"] == [
        {"generation": 22, "written": "2026-01-02T03:04:20Z", "backups": 5},
        {"generation": 21, "written": "2026-01-02T03:04:20Z", "backups": 5},
    ]
    backups = found["backups"]
    assert [one["state"] for one in backups] == [
        "committed", "committed", "dead", "committed", "open",
    ]  # fmt: skip
    assert [one.get("parent") for one in backups] == [
        None, FIRST, None, FIRST[:-1] + "1", None,
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


def test_a_person_sees_the_chain_and_what_it_needs(tmp_path: Path, capsys: Capture) -> None:
    assert main(["inspect", str(device(tmp_path, "second"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Container 601d0000-0000-0000-0000-000000000005, version 1")
    (row,) = (line for line in lines if line.startswith("| 601d"))
    for cell in ("committed", "2026-01-02 03:04", "on 601d0000…", "124.0 KiB", "20 zstd, 17 raw"):
        assert cell in row
    assert row.split("|")[6].strip() == "4"  # chunks, none of them zero or inherited whole
    assert lines[-2:] == ["Some of their blocks lie in other containers:", f"  {FIRST}"]
    assert "DAMAGED" not in "".join(lines)


def test_chunks_without_a_manifest_of_their_own_are_told() -> None:
    nothing: Any = None
    some = Backup(nothing, manifests=3, chunks=5)
    assert _chunks(some, inherited=1) == "5 (2 zero, 1 inherited)"
    assert _chunks(Backup(nothing, manifests=5, chunks=5), inherited=0) == "5"


@pytest.mark.parametrize("slot", [0, 1])
def test_a_superblock_that_is_not_whole(tmp_path: Path, capsys: Capture, slot: int) -> None:
    path = device(tmp_path)
    damaged_at(path, slot * MIB + 130)
    found = told(path, capsys, code=1)
    assert found["superblocks"][slot] is None
    assert found["damage"] == [f"Superblock {slot} is not whole; the other one serves."]
    assert len(found["backups"]) == 5
    assert main(["inspect", str(path)]) == 1
    text = capsys.readouterr().out
    assert f"superblock {slot}: NOT WHOLE" in text
    assert text.endswith(f"DAMAGED:\n  {found['damage'][0]}\n")


def test_a_manifest_and_a_commit_record_that_are_damaged(tmp_path: Path, capsys: Capture) -> None:
    path = device(tmp_path)
    whole = path.read_bytes()
    sound = told(path, capsys)["backups"]
    # The last record of a range is the commit record; before it lies a manifest.
    manifest = whole.rindex(b"DBMANIFS", sound[0]["start"], sound[0]["end"])
    damaged_at(path, manifest + 100)
    damaged_at(path, whole.rindex(b"DBCOMMIT", sound[1]["start"], sound[1]["end"]) + 100)
    found = told(path, capsys, code=1)
    first, second, *others = found["backups"]
    assert len(first["damage"]) == 1
    assert f"of backup {FIRST}" in first["damage"][0]
    assert f"byte {manifest} is damaged" in first["damage"][0]
    assert first["new_blocks"] == sound[0]["new_blocks"]
    assert "The commit record" in second["damage"][0]
    assert "volume" not in second
    assert not any(one["damage"] for one in others if one["state"] != "committed")
    assert set(found["damage"]) >= {*first["damage"], *second["damage"]}


def test_it_needs_no_cinder(tmp_path: Path) -> None:
    script = (
        "import sys; from datera_backup.command.main import main; "
        f"code = main(['inspect', {str(device(tmp_path))!r}]); "
        "sys.exit(code or 'cinder' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_no_container_is_told_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "device"
    path.write_bytes(bytes(3 * MIB))
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


def test_a_later_version_is_told_and_not_taken_for_damage(tmp_path: Path, capsys: Capture) -> None:
    import hashlib

    path = device(tmp_path)
    raw = bytearray(path.read_bytes())
    for at in (0, MIB):
        length = int.from_bytes(raw[at + 60 : at + 64], "little")
        raw[at + 8] = 2
        raw[at + 96 : at + 128] = bytes(32)
        raw[at + 96 : at + 128] = hashlib.sha256(raw[at : at + length]).digest()
    path.write_bytes(raw)
    assert main(["inspect", str(path)]) == 3
    assert "has version 2 (flags 0x0) of the format; this software knows version 1" in (
        capsys.readouterr().err
    )


def test_inspect_what_cannot_be_read_is_not_called_damaged(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = device(tmp_path)
    sound = told(path, capsys)
    assert (sound["result"], sound["not_known"]) == ("sound", [])
    whole = path.read_bytes()
    manifest = whole.rindex(b"DBMANIFS", sound["backups"][0]["start"], sound["backups"][0]["end"])
    pread = FileDevice.pread

    def fails_at(first: int, last: int) -> None:
        def failing(self: FileDevice, offset: int, buffer: memoryview) -> None:
            if offset <= last and first < offset + len(buffer):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            pread(self, offset, buffer)

        monkeypatch.setattr(FileDevice, "pread", failing)

    fails_at(manifest, manifest)
    found = told(path, capsys, code=3)
    assert (found["result"], found["damage"]) == ("not known", [])
    assert f"Whether backup {FIRST} is sound: [Errno 5]" in found["not_known"][0]
    assert found["backups"][1]["codecs"] == sound["backups"][1]["codecs"]
    assert main(["inspect", str(path)]) == 3
    assert "NOT KNOWN:\n  Whether backup" in capsys.readouterr().out

    # What is proven stands beside it.
    damaged_at(path, whole.rindex(b"DBCOMMIT", *(sound["backups"][1][a] for a in ENDS)) + 100)
    found = told(path, capsys, code=1)
    assert (found["result"], bool(found["not_known"])) == ("DAMAGED", True)

    fails_at(0, len(whole))
    assert main(["inspect", str(path)]) == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == (
        "", f"datera-backup: {path} cannot be read: Input/output error.\n",
    )  # fmt: skip
