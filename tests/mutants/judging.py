# SPDX-License-Identifier: Apache-2.0
"""Whether a mistake is found: it is made in a copy of the tree, and tests run there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.covering import PYTEST, SUITES, THREADS, Covering
from tests.mutants.kinds import Mutant

SECONDS = 240
"""How long the tests of one suite have: a mistake that hangs them is found by that."""

NO_TESTS = 5  # of pytest's exit codes


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    :ivar found_by: the suite whose test found it; empty: none did.
    :ivar asked: how many tests were asked until then.
    """

    mutant: Mutant
    found_by: str
    asked: int

    @property
    def died(self) -> bool:
        """Whether a test found it."""
        return bool(self.found_by)


class Judge:
    """Judges mutants, one after the other, in a copy of the tree that is its own."""

    def __init__(self, python: str, tree: Path, suites: dict[str, Covering], most: int) -> None:
        self._python = python
        self._tree = tree
        self._suites = suites
        self._most = most

    def verdict(self, mutant: Mutant) -> Verdict:
        """Make the mistake, ask the tests that run its lines, and take it back."""
        path = self._tree / mutant.path
        sound = path.read_bytes()
        path.write_bytes(mutant.applied_to(sound))
        asked = 0
        try:
            for suite, covering in self._suites.items():
                tests = covering.tests(mutant.path, mutant.lines, self._most)
                asked += len(tests)
                if tests and self._fails(suite, tests):
                    return Verdict(mutant, suite, asked)
            return Verdict(mutant, "", asked)
        finally:
            path.write_bytes(sound)

    def _fails(self, suite: str, tests: list[str]) -> bool:
        command = [self._python, *PYTEST, *SUITES[suite], "-n", "0", "-x", "-qq"]
        # Nothing is compiled into files: two mistakes in one second would be taken for one.
        alone = {"PYTHONPATH": str(self._tree), "PYTHONDONTWRITEBYTECODE": "1", **THREADS}
        with subprocess.Popen(
            [*command, *tests],
            cwd=self._tree,
            env={**os.environ, **alone},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                status = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                return True
        return status not in (0, NO_TESTS)
