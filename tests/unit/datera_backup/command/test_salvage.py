# SPDX-License-Identifier: Apache-2.0
"""``datera-backup salvage``: a backup comes back from devices alone, and what does not is named."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from datera_backup.command.main import main
from datera_backup.container.format.geometry import LOG_START
from datera_backup.engine.salvage import Salvaging
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

SIZE = 32 << 20
FULL, SECOND, THIRD = (str(identifier(number)) for number in (1, 2, 5))
CONTENT = some_bytes(1, 40 * BLOCK + 99)
CHANGED = changed(CONTENT, 2, 6)
YOUNGEST = changed(CHANGED, 3, 6)

Capture = pytest.CaptureFixture[str]
Device = Callable[..., str]


@pytest.fixture(scope="module")
def made() -> dict[str, MemoryDevice]:
    """A chain over two containers."""
    first, second = new_container(1, SIZE), new_container(5, SIZE)
    parent = back_up(first, 2, CHANGED, back_up(first, 1, CONTENT))
    back_up(second, 5, YOUNGEST, parent)
    return {"first": memory_of(first), "second": memory_of(second)}


@pytest.fixture
def device(tmp_path: Path, made: dict[str, MemoryDevice]) -> Device:
    def write(name: str, *, superblocks: bool = True) -> str:
        path = tmp_path / name
        content = bytes(made[name].content)
        path.write_bytes(content if superblocks else bytes(LOG_START) + content[LOG_START:])
        return str(path)

    return write


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.mark.parametrize("superblocks", [True, False])
def test_backups_are_listed_with_where_they_were_found(
    device: Device, capsys: Capture, superblocks: bool
) -> None:
    devices = [device(name, superblocks=superblocks) for name in ("first", "second")]
    assert main(["salvage", "--list", devices[0], "--with", devices[1]]) == 0
    captured = capsys.readouterr()
    rows = [line.split("|")[1:-1] for line in captured.out.splitlines() if "|" in line][1:]
    assert sorted(row[0].strip() for row in rows) == [FULL, SECOND, THIRD]
    assert {row[-1].strip() for row in rows} == {"in place" if superblocks else "by a scan"}
    assert all(line.startswith("datera-backup: ") for line in captured.err.splitlines())
    assert ("It is scanned." in captured.err) is not superblocks


@pytest.mark.parametrize("superblocks", [True, False])
def test_a_chain_over_two_containers_comes_back(
    device: Device, output: Path, capsys: Capture, superblocks: bool
) -> None:
    first, second = (device(name, superblocks=superblocks) for name in ("first", "second"))
    before = Path(first).read_bytes()
    arguments = ["salvage", second, THIRD, str(output), "--with", first]
    assert main(arguments) == 0, capsys.readouterr()
    assert output.read_bytes() == YOUNGEST
    assert capsys.readouterr().out.endswith("all of it is sound.\n")
    assert "  +\n" in Path(f"{output}.map").read_text()
    assert Path(first).read_bytes() == before


def test_options_may_stand_anywhere(device: Device, output: Path) -> None:
    first, second = device("first"), device("second")
    assert main(["salvage", second, "--with", first, THIRD, str(output)]) == 0
    assert output.read_bytes() == YOUNGEST


def test_a_cancelled_salvage_leaves_no_output(
    device: Device, output: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(*_arguments: object) -> None:
        assert output.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(Salvaging, "salvage", cancel)
    assert main(["salvage", device("first"), FULL, str(output)]) == 130
    assert capsys.readouterr() == ("", "datera-backup: cancelled\n")
    assert not output.exists(), "it would pass for a whole one"


def test_without_the_older_container_the_reasons_name_it(
    device: Device, output: Path, capsys: Capture
) -> None:
    assert main(["salvage", device("second"), THIRD, str(output)]) == 1
    got = output.read_bytes()
    blocks = range(0, len(YOUNGEST), BLOCK)
    sound = [at for at in blocks if got[at : at + BLOCK] == YOUNGEST[at : at + BLOCK]]
    assert 0 < len(sound) < len(blocks)
    assert all(not any(got[at : at + BLOCK]) for at in blocks if at not in sound)
    told = capsys.readouterr().out
    assert "are missing" in told
    assert FULL in told
    assert FULL in Path(f"{output}.map").read_text()


def test_a_device_that_holds_nothing_does_no_harm_to_the_others(
    device: Device, output: Path, tmp_path: Path, capsys: Capture
) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(SIZE))
    assert main(["salvage", str(empty), SECOND, str(output), "--with", device("first")]) == 0
    assert output.read_bytes() == CHANGED
    assert "Device 1 of 2 is ignored" in capsys.readouterr().err
    output.unlink()
    Path(f"{output}.map").unlink()
    assert main(["salvage", str(empty), SECOND, str(output)]) == 1
    assert "No device holds a record" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("there", ["output", "output.map"])
def test_nothing_is_written_over(device: Device, output: Path, capsys: Capture, there: str) -> None:
    path = output.with_name(there)
    path.write_text("mine")
    assert main(["salvage", device("first"), FULL, str(output)]) == 2
    assert capsys.readouterr() == (
        "",
        f"datera-backup: {path} exists already: name another output.\n",
    )
    assert path.read_text() == "mine"


def test_a_backup_that_is_not_there_leaves_no_output(
    device: Device, output: Path, capsys: Capture
) -> None:
    assert main(["salvage", device("first"), THIRD, str(output)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert THIRD in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name BACKUP and OUTPUT, or say --list"),
        ([FULL], "name BACKUP and OUTPUT, or say --list"),
        (["--list", FULL], "--list takes no BACKUP"),
        (["nightly", "output"], "nightly is not a backup ID"),
    ],
)
def test_bad_usage_is_told_in_one_line(
    device: Device, capsys: Capture, arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["salvage", device("first"), *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]


def test_a_device_that_is_not_there_is_named(
    device: Device, output: Path, tmp_path: Path, capsys: Capture
) -> None:
    nowhere = str(tmp_path / "nowhere")
    for arguments in ([nowhere], [device("first"), "--with", nowhere]):
        assert main(["salvage", *arguments[:1], FULL, str(output), *arguments[1:]]) == 2
        assert f"{nowhere} cannot be read" in capsys.readouterr().err


def test_an_output_that_cannot_be_made_is_named(
    device: Device, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "nowhere" / "volume"
    assert main(["salvage", device("first"), FULL, str(output)]) == 2
    assert capsys.readouterr().err == (
        f"datera-backup: {output} cannot be written: No such file or directory.\n"
    )


def test_an_output_for_which_there_is_no_room_is_named_and_removed(
    device: Device, output: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwritev", full)
    assert main(["salvage", device("first"), FULL, str(output)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"datera-backup: {output} cannot be written")
    assert "No space left on device" in told
    assert not output.exists()
