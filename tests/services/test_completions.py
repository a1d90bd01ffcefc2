# SPDX-License-Identifier: Apache-2.0
"""The completions in the shells that nobody needs to have for `make test`, and the manual pages."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COMPLETED = {
    "backup-dispatch ver": "verify ",
    "backup-dispatch --config-file check ver": "verify ",
    "backup-dispatch verify --unv": "--unverified-since",
    "backup-dispatch list --format=y": "--format=yaml ",
    "backup-dispatch help sal": "salvage ",
    "datera-emulator fault ra": "random ",
    "datera-backup inspect setup.c": "setup.cfg ",
}
"""What is typed, and the last word after Tab."""

ZSH = """
PS1= fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D
told() {{ print -r -- "$BUFFER" > {told}.new; mv {told}.new {told} }}
zle -N told; bindkey '^X' told; stty -echo; print be''gin
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with programs of these names: fish completes only those that are there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for line in COMPLETED:
        program = folder / line.split()[0]
        program.touch(mode=0o755)
    return folder


@pytest.mark.parametrize("line", COMPLETED)
def test_fish_completes_the_word(line: str, programs: Path) -> None:
    found = subprocess.run(
        ["fish", "--no-config", "-c", f"set -p fish_complete_path {ROOT}/completion/fish; "
         f"complete -C '{line}'"],
        cwd=ROOT, env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    offered = [one.partition("\t")[0] for one in found.stdout.splitlines()]
    assert offered == [COMPLETED[line].strip()]


@pytest.mark.parametrize("line", COMPLETED)
def test_zsh_completes_the_word(line: str, tmp_path: Path) -> None:
    told = tmp_path / "told"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execvpe("zsh", ["zsh", "-f"], os.environ | {"TERM": "dumb"})
    try:
        setup = ZSH.format(folder=ROOT / "completion" / "zsh", told=told)
        os.write(terminal, setup.encode())
        _read_until(terminal, lambda seen: b"begin" in seen)
        os.write(terminal, f"{line}\t\x18".encode())
        _read_until(terminal, lambda _seen: told.exists())
    finally:
        os.close(terminal)
        os.kill(child, 9)
        os.waitpid(child, 0)
    kept = line.rpartition(" ")[0]
    completed = COMPLETED[line]
    # It says that a value follows where fish leaves that to the reader.
    follows = "=" if completed == "--unverified-since" else ""
    assert told.read_text() == f"{kept} {completed}{follows}\n"


def _read_until(terminal: int, done: Callable[[bytes], bool]) -> None:
    seen, deadline = b"", time.monotonic() + 60
    while not done(seen):
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.02)[0]:
            with suppress(OSError):
                seen += os.read(terminal, 65536)


def test_man_pages_are_accepted() -> None:
    pages = sorted((ROOT / "man").iterdir())
    assert len(pages) > 15
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # They are generated: they have no date of their own.
    said = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert not said
