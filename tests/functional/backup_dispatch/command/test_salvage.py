# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch salvage``: all that is sound of a backup, and a map of what is not."""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator

pytestmark = pytest.mark.long

Run = Callable[..., Any]

MIB = 2**20
BLOCK = 2**16


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out put"


def container_of(backup: Any, emulator: Emulator) -> Path:
    instance = emulator.cluster.app_instance_named("/root", backup.container)
    assert instance is not None
    ((_, container),) = instance.volumes()
    return emulator.cluster.files.path(container.file)


def spoil(backup: Any, emulator: Emulator, stored: bytes) -> None:
    """Flip a bit in a block that lies in the backup's container as it is."""
    with open(container_of(backup, emulator), "r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        data[data.find(stored) + 10] ^= 1


def test_a_sound_backup_is_written_whole(
    four_backups: dict[str, Any], cloud_of_four: Any, run: Run, output: Path
) -> None:
    backup = four_backups["datera_2"]
    ended = run("salvage", backup.id, str(output), "-f", "json")
    assert ended.code == 0, ended.err
    size = output.stat().st_size
    assert ended.json == {
        "backup": backup.id,
        "backend": "datera",
        "output": str(output),
        "map": f"{output}.map",
        "size": size,
        "missing": 0,
    }
    restored = cloud_of_four.restore_backup(backup)
    assert output.read_bytes() == cloud_of_four.read(restored, 0, size + 1)
    assert output.stat().st_blocks * 512 < 2 * MIB
    lines = output.with_name(f"{output.name}.map").read_text().splitlines()
    assert [line.split() for line in lines if line[0] != "#"][1:] == [
        [f"{0:#012x}", f"{size:#012x}", "+"]
    ]


def test_what_is_damaged_is_left_out_and_named_in_the_map(
    cloud_of_four: Any, run: Run, emulator: Emulator, output: Path
) -> None:
    volume = cloud_of_four.create_volume(1)
    noise = random.Random(1).randbytes(4 * BLOCK)
    cloud_of_four.write(volume, MIB, noise)
    backup = cloud_of_four.create_backup(volume, "datera_1")
    assert backup.status == "available", backup.fail_reason
    spoil(backup, emulator, noise[2 * BLOCK : 2 * BLOCK + 64])
    ended = run("salvage", backup.id, str(output), "-f", "json")
    assert ended.code == 1
    assert ended.json["missing"] == BLOCK
    (place,) = ended.json["places"]
    at = MIB + 2 * BLOCK
    assert place.startswith(f"byte {at}: Block {at // BLOCK} of backup {backup.id}")
    expected = bytearray(cloud_of_four.read(volume, 0, 2**30))
    expected[at : at + BLOCK] = bytes(BLOCK)
    assert output.read_bytes() == expected
    text = output.with_name(f"{output.name}.map").read_text()
    assert f"{at:#012x}  {BLOCK:#012x}  -\n" in text
    assert f"# {at:#x}: Block {at // BLOCK} of backup {backup.id}" in text
    told = run("salvage", backup.id, f"{output}2")
    assert told.code == 1
    assert str(at) in told.out


def test_a_backend_that_cannot_salvage_is_refused(
    four_backups: dict[str, Any], run: Run, output: Path
) -> None:
    for name in ("posix", "swift"):
        ended = run("salvage", f"{name}_2", str(output))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"backup-dispatch: Backend {name} has no way to salvage")
        assert ended.err.count("\n") == 1
        assert not output.exists()


def test_an_output_that_cannot_be_written_is_refused(
    four_backups: dict[str, Any], run: Run, output: Path
) -> None:
    beside = output.with_name(f"{output.name}.map")
    for there in (output, beside):
        there.write_text("mine")
        ended = run("salvage", "datera_2", str(output))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == f"backup-dispatch: {there} exists already: name another output.\n"
        assert there.read_text() == "mine"
        there.unlink()
    nowhere = output / "file"
    ended = run("salvage", "datera_2", str(nowhere))
    assert ended.code != 0
    assert ended.err.count("\n") == 1
    assert str(nowhere) in ended.err


def test_a_salvage_that_finds_nothing_leaves_no_output(
    four_backups: dict[str, Any], run: Run, emulator: Emulator, output: Path
) -> None:
    path = container_of(four_backups["datera_2"], emulator)
    size = path.stat().st_size
    os.truncate(path, 0)
    os.truncate(path, size)
    ended = run("salvage", "datera_2", str(output))
    assert ended.code == 1
    assert "No device holds a record of a container" in ended.err
    assert not output.exists(), "it would pass for a whole one"


def test_a_cancelled_salvage_leaves_no_output(
    four_backups: dict[str, Any], run: Run, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.driver import DateraBackupDriver

    def cancel(*_arguments: Any) -> None:
        assert output.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(DateraBackupDriver, "salvage", cancel)
    assert four_backups
    assert run("salvage", "datera_2", str(output)).code == 130
    assert not output.exists(), "it would pass for a whole one"
