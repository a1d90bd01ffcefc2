# SPDX-License-Identifier: Apache-2.0
"""Copies of the sources, to make mistakes in."""

from __future__ import annotations

import compileall
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("backup_dispatch", "datera_backup", "datera_volume")


def tracked() -> list[str]:
    """Return the names of all files of the sources that git knows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


def copy(names: list[str], to: Path) -> Path:
    """Copy the sources, compiled once."""
    shutil.rmtree(to, ignore_errors=True)
    for name in names:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    for package in (*SHIPPED, "datera_emulator", "demo", "tests"):
        compileall.compile_dir(to / package, quiet=2)
    return to
