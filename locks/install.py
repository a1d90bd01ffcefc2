#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Install what a lock file names, into the environment of the Python that runs this.

``PYTHON locks/install.py -r locks/cinder-29.txt`` takes the arguments of ``pip install``. By uv it
takes seconds where pip takes a minute for the same 250 packages. uv is told the package indexes
that pip is configured for; pip itself installs what uv cannot, for whatever reason.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# pip's words that mean the same to uv, in its environment and in its files alike.
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
}
# A lock is complete. As pip does, take a version from whichever index has it.
UV = ("pip", "install", "--no-deps", "--index-strategy", "unsafe-best-match")
PIP = ("-m", "pip", "install", "--no-deps", "--no-compile", "--disable-pip-version-check")


def configured(listed: Iterable[str]) -> Iterator[str]:
    """Return uv's options for what ``pip config list`` tells.

    What is set for pip in the environment replaces what its files say, as it does for pip.
    """
    values: dict[str, str] = {}
    for line in listed:
        name, _, quoted = line.partition("=")
        key = name.removeprefix(":env:").rpartition(".")[2]
        if key in OPTIONS and (name.startswith(":env:") or key not in values):
            values[key] = ast.literal_eval(quoted)
    for key, value in values.items():
        for each in value.split():
            yield OPTIONS[key]
            yield each


def find_uv() -> str | None:
    """Return uv: this environment's, the machine's, or one that pip could install."""
    beside = Path(sys.executable).with_name("uv")
    for _ in range(2):
        if found := os.environ.get("UV") or shutil.which(beside) or shutil.which("uv"):
            return found
        pip = [sys.executable, *PIP, "--quiet", "uv"]
        subprocess.run(pip, check=False, capture_output=True)
    return None


def by_uv(arguments: list[str]) -> bool:
    """Install by uv, and return whether it could."""
    uv = find_uv()
    if uv is None:
        return False
    pip = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(pip, check=False, capture_output=True, text=True).stdout.splitlines()
    command = [uv, *UV, "--quiet", "--python", sys.executable, *configured(listed), *arguments]
    return subprocess.run(command, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """Return the exit code of what installed."""
    if by_uv(arguments):
        return 0
    print("uv could not install it: pip does, in a minute", file=sys.stderr)
    return subprocess.run([sys.executable, *PIP, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
