# SPDX-License-Identifier: Apache-2.0
"""The environment of the tests on real servers, where it is copied from the developers'."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.services.install import LOCKS, has_the_lock, main, name_interpreter, section

SHORT = "#!{}/bin/python\nimport sys\n"
LONG = "#!/bin/sh\n'''exec' {}/bin/python \"$0\" \"$@\"\n' '''\nimport sys\n"
NO_PYTHON = "#!/bin/sh\necho {}/bin\n"


@pytest.mark.parametrize("program", [SHORT, LONG])
def test_a_copied_program_runs_in_its_own_environment(tmp_path: Path, program: str) -> None:
    original, copied = tmp_path / "original", tmp_path / "copied"
    (copied / "bin").mkdir(parents=True)
    (copied / "bin" / "cinder-api").write_text(program.format(original))
    (copied / "bin" / "activate").write_text(NO_PYTHON.format(original))
    name_interpreter(copied, original)
    assert (copied / "bin" / "cinder-api").read_text() == program.format(copied)
    assert (copied / "bin" / "activate").read_text() == NO_PYTHON.format(original)


def made(folder: Path, *, version: str = platform.python_version(), home: str = "") -> Path:
    """An environment that `make` has finished."""
    home = home or str(Path(sys.executable).resolve().parent)
    (folder / "pyvenv.cfg").write_text(f"home = {home}\nversion = {version}\n")
    (folder / ".installed").touch()
    return folder


def test_an_environment_of_this_python_and_lock_is_copied(tmp_path: Path) -> None:
    assert has_the_lock(made(tmp_path), sys.executable)


def test_no_other_environment_is_copied(tmp_path: Path) -> None:
    assert not has_the_lock(tmp_path, sys.executable)
    assert not has_the_lock(made(tmp_path, version="3.9.1"), sys.executable)
    assert not has_the_lock(made(tmp_path, home=str(tmp_path / "gone")), sys.executable)
    older = LOCKS[1].stat().st_mtime - 1
    os.utime(made(tmp_path) / ".installed", (older, older))
    assert not has_the_lock(tmp_path, sys.executable)


def test_one_section_of_the_list_is_found_by_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    assert section("mounting a backup") == ["fuse3"]
    assert main("--section", "mounting") == 1
    told = capsys.readouterr().err
    assert "debian-packages has no section 'mounting', but these: mounting a backup; " in told
    assert main() == 2
