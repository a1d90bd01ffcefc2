# SPDX-License-Identifier: Apache-2.0
"""Forged and damaged containers give only the errors of containers, little memory and no hang."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.faults.extent import amount, portion, seed_of_the_run
from tests.fixtures.faults.fuzzing import RUNS
from tests.fuzzing.containers import CORPUS, Case, run

CASES: dict[str, Case] = json.loads(CORPUS.read_text())


@pytest.mark.parametrize("name", portion(sorted(CASES), "corpus", small=2, brief=len(CASES)))
def test_forgeries_that_once_did_harm_are_refused(name: str) -> None:
    assert run(CASES[name], Counter()) == ""


def test_forgeries_do_no_harm(tally: Callable[[str, int], None]) -> None:
    """In a process of its own, because memory is measured by its peak."""
    count = amount(small=10, brief=150, whole=4_000)
    seed = 1_000_000 * (seed_of_the_run() % (1 << 32))
    command = ["-m", "tests.fuzzing.containers", "--seed", str(seed), "--count", str(count)]
    ended = subprocess.run(
        [sys.executable, *command, "--quick"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{count} cases" in ended.stdout
    tally(RUNS, count)
    tally(f"{RUNS}: whole containers", count)
