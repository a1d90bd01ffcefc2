# SPDX-License-Identifier: Apache-2.0
"""`make lint` runs shellcheck on each shell script that is part of the sources."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (".ci", "completion", "deploy", "devstack", "locks", "systemd", "tests")
SHEBANG = re.compile(r"#!.*\b(?:ba)?sh\b|# shellcheck shell=", re.MULTILINE)


def is_a_script(path: Path) -> bool:
    if path.suffix == ".sh":
        return True
    # Completions for other shells, and data, have a suffix of their own.
    if path.suffix or not path.is_file():
        return False
    return bool(SHEBANG.match(path.read_text(errors="replace")))


def test_each_shell_script_is_checked() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", "")
    (line,) = re.findall(r"^SCRIPTS := (.*)$", makefile, re.MULTILINE)
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if is_a_script(path)
    }
    assert len(found) > 3
    assert set(line.split()) == found
