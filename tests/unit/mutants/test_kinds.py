# SPDX-License-Identifier: Apache-2.0
"""Of each place of a file that decides or acts, a mistake is made, and of no other."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.mutants.covering import nearest_first
from tests.mutants.kinds import mutants

ROOT = Path(__file__).resolve().parents[3]
SOURCE = b'''\
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    register("types")


def sent(these, \xc3\xa4nd=None):
    """Say what == means: this does not run."""
    if not these or \xc3\xa4nd is None:
        return None
    LOG.info("%s", these == 1)
    send(these)
    return 1 <= len(these) < (
        9  # or more
    ) and these
'''


def made(source: bytes) -> list[str]:
    found = mutants("one.py", source)
    return [mutant.shown(source).splitlines()[0].partition(" ")[2] for mutant in found]


def test_each_kind_is_made_where_it_can_be() -> None:
    assert made(SOURCE) == [
        "a guard that never fires",
        "`and` for `or`",
        "a comparison turned",
        "a call dropped",
        "a comparison turned",
        "a comparison turned",
        "`or` for `and`",
    ]


def test_a_mistake_changes_its_own_place_alone() -> None:
    shown = [mutant.applied_to(SOURCE).decode() for mutant in mutants("one.py", SOURCE)]
    changes = [
        next(
            after.strip()
            for before, after in zip(SOURCE.decode().splitlines(), one.splitlines(), strict=True)
            if before != after
        )
        for one in shown
    ]
    assert changes == [
        "if False:",
        "if not these and änd is None:",
        "if not these or änd is not None:",
        "pass",
        "return 1 > len(these) < (",
        "return 1 <= len(these) >= (",
        ") or these",
    ]


def test_all_that_is_made_of_the_drivers_still_compiles() -> None:
    for path in (ROOT / "datera_backup" / "container").rglob("*.py"):
        source = path.read_bytes()
        for mutant in mutants(path.name, source):
            ast.parse(mutant.applied_to(source))


def test_the_tests_of_the_same_name_are_asked_first() -> None:
    tests = [
        "tests/functional/test_calls.py::test_a",
        "tests/unit/datera_backup/container/test_reader.py::test_b",
        "tests/unit/datera_backup/container/test_writer.py::test_c",
    ]
    ordered = nearest_first(tests, "datera_backup/container/writer.py")
    assert ordered == tests[::-1]
