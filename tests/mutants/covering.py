# SPDX-License-Identifier: Apache-2.0
"""Which tests run a line: learnt once, by coverage.py, from a run of them all."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePath

PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-m", "not faults")
# As the Makefile runs them.
SUITES = {"unit": (), "functional": ("-p", "tests.fixtures.as_service")}
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile")
THREADS = {"OS_CINDER_DISABLE_EVENTLET_PATCHING": "yes"}


def learn(python: str, tree: Path, suite: str, to: Path) -> None:
    """Run a suite in a tree, and write down which of its tests ran which line."""
    if to.exists():
        return
    measured = ("--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0")
    subprocess.run(
        [python, *PYTEST, *SUITES[suite], *SIDE_BY_SIDE, *measured, f"tests/{suite}"],
        cwd=tree,
        env={**os.environ, **THREADS, "PYTHONPATH": str(tree), "COVERAGE_FILE": str(to)},
        check=False,  # what fails without any mistake is not asked later: see `Covering`
    )


class Covering:
    """The tests of one suite, by the lines that they ran in the tree where this was learnt."""

    def __init__(self, tree: Path, data: Path) -> None:
        # Here, for not each release's environment has it.
        from coverage import CoverageData

        self._tree = tree
        self._data = CoverageData(basename=str(data))
        self._data.read()

    def tests(self, path: str, lines: tuple[int, int], most: int) -> list[str]:
        """Return tests that run any of the lines: those of the same name first, then any others.

        :param most: how many at most; a line that all tests run is judged by some of them.
        """
        by_line = self._data.contexts_by_lineno(str(self._tree / path))
        running = {
            context.partition("|")[0]
            for line in range(lines[0], lines[1] + 1)
            for context in by_line.get(line, ())
            if context.startswith("tests/")
        }
        return nearest_first(running, path)[:most]


def nearest_first(tests: Iterable[str], path: str) -> list[str]:
    """Order tests by how many words of a file's path theirs has; those alike as chance has it."""
    words = set(PurePath(path).with_suffix("").parts)

    def far(test: str) -> int:
        file = PurePath(test.partition("::")[0]).with_suffix("")
        theirs = {*file.parts, *(part.removeprefix("test_") for part in file.parts)}
        return -len(words & theirs)

    mixed = sorted(tests)
    random.Random(path).shuffle(mixed)
    return sorted(mixed, key=far)
