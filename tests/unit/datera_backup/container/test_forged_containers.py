# SPDX-License-Identifier: Apache-2.0
"""Forged and damaged containers give only the errors of containers, little memory and no hang."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzzing.containers import CORPUS, Case, run

pytestmark = pytest.mark.faults

CASES: dict[str, Case] = json.loads(CORPUS.read_text())


@pytest.mark.parametrize("name", CASES)
def test_forgeries_that_once_did_harm_are_refused(name: str) -> None:
    assert run(CASES[name], Counter()) == ""


def test_some_hundred_forgeries_do_no_harm() -> None:
    """In a process of its own, because memory is measured by its peak."""
    root = Path(__file__).parents[4]
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzzing.containers",
            "--seed",
            "1",
            "--count",
            "500",
            "--quick",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "500 cases" in ended.stdout
