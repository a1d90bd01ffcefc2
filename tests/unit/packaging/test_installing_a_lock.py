# SPDX-License-Identifier: Apache-2.0
"""What a lock file names is installed by uv from where pip would take it, and else by pip."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "locks" / "install.py"
configured = runpy.run_path(str(PROGRAM))["configured"]


def test_uv_is_told_the_indexes_that_pip_is_configured_for() -> None:
    listed = [
        ":env:.cert='/etc/ssl/certs/ca-certificates.crt'",
        # One a line in its file; pip tells it in Python's notation.
        r"global.extra-index-url='\nhttps://one.example/simple\nhttps://two.example/simple'",
        "global.index-url='https://mirror.example/simple'",
        "install.find-links='/srv/wheels'",
    ]
    assert list(configured(listed)) == [
        "--index", "https://one.example/simple",
        "--index", "https://two.example/simple",
        "--default-index", "https://mirror.example/simple",
        "--find-links", "/srv/wheels",
    ]  # fmt: skip


@pytest.mark.parametrize("order", [1, -1])
def test_what_the_environment_says_replaces_what_a_file_says(order: int) -> None:
    listed = [":env:.find-links='/from/environment'", "global.find-links='/from/file'"]
    assert list(configured(listed[::order])) == ["--find-links", "/from/environment"]


def fake(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def run(uv: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment: dict[str, Any] = {"UV": str(uv), "PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1"}
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_uv_installs_into_the_environment_of_the_python_that_runs(tmp_path: Path) -> None:
    uv = fake(tmp_path / "uv", f'echo "$@" >{tmp_path}/told')
    assert run(uv, "-r", "lock.txt").returncode == 0
    told = (tmp_path / "told").read_text()
    assert f"--python {sys.executable}" in told
    assert told.endswith("-r lock.txt\n")


def test_pip_installs_what_uv_cannot(tmp_path: Path) -> None:
    uv = fake(tmp_path / "uv", "exit 2")
    empty = tmp_path / "lock.txt"
    empty.write_text("")
    ended = run(uv, "-r", str(empty))
    assert "pip does" in ended.stderr
    assert ended.returncode == 0
    assert run(uv, "nowhere-to-be-found==1").returncode != 0
