# SPDX-License-Identifier: Apache-2.0
"""The pages' commands of the emulator and of ``datera-backup``, run in order as shown."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from datera_backup.command.main import main as datera_backup
from datera_emulator import Emulator
from datera_emulator.cli import main as datera_emulator
from tests.fixtures.pages import ROOT, PageCommand, commands_of

Capture = pytest.CaptureFixture[str]

BACKUP = "601d0000-0000-0000-0000-000000000000"
MIB = 2**20


def in_blocks(program: str) -> list[PageCommand]:
    return [one for one in commands_of(program) if one.block]


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A golden container, as the file of a device."""
    packed = ROOT / "tests" / "golden" / "version-2-first.xz"
    file = tmp_path / "container"
    file.write_bytes(lzma.decompress(packed.read_bytes()))
    return file


def test_the_commands_of_an_emulator_that_runs(tmp_path: Path, capsys: Capture) -> None:
    typed = [one.words({"DIR": str(tmp_path)}) for one in in_blocks("datera-emulator")]
    with Emulator(tmp_path):
        # The first one starts it: tests/functional/datera_emulator/test_command.py does.
        assert typed[0][0] == "serve"
        for words in typed[1:]:
            assert datera_emulator(words) == 0, (words, capsys.readouterr())
    assert len(typed) > 5


def test_the_commands_that_look_into_a_container(
    container: Path, tmp_path: Path, capsys: Capture
) -> None:
    stand_for = {"DEVICE": str(container), "BACKUP": BACKUP, "OUTPUT": str(tmp_path / "output")}
    typed = in_blocks("datera-backup")
    for one in typed:
        words = [str(container) if word[:5] == "/dev/" else word for word in one.words(stand_for)]
        assert datera_backup(words) == 0, (words, capsys.readouterr())
        told = capsys.readouterr().out.splitlines()
        if one.shown:
            # The page leaves out the backups, and how it says the rest is compared elsewhere.
            firsts = [line.split()[0] for line in one.shown]
            assert [line.split()[0] for line in told if line][: len(firsts)] == firsts
    assert len(typed) == 3
    assert (tmp_path / "output").stat().st_size >= MIB
    assert (tmp_path / "output.map").exists()
