# SPDX-License-Identifier: Apache-2.0
"""The page of deadlines names every wait in the sources, and each with its real length."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from backup_dispatch import opts as dispatch_opts
from datera_backup import opts as backup_opts
from datera_volume import opts as volume_opts
from tests.fixtures.pages import ROOT
from tests.fixtures.waits import Place, found_in, names_in

PAGE = ROOT / "docs" / "deadlines.md"
BOUNDED = "## What is waited for, and how long"
COVERED = "## What waits for something that has a deadline"
TIME_OF_DAY = "## When a clock is set"
CODE = re.compile(r"`(?P<path>[a-z_/]+\.py)`: (?P<names>`[^`]+`(?:, `[^`]+`)*)")
OPTION = re.compile(r"^`(?P<name>\w+)`$")


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    cells: tuple[str, ...]

    @property
    def places(self) -> list[Place]:
        """The code that it names."""
        return [
            Place(one["path"], name.strip("` "))
            for one in CODE.finditer(self.cells[-1])
            for name in one["names"].split(", ")
        ]


def rows(heading: str) -> list[Row]:
    section = PAGE.read_text().partition(heading)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [Row(tuple(cell.strip() for cell in line.strip("|").split("|"))) for line in lines[2:]]


def test_each_wait_without_a_deadline_stands_there_with_its_reason() -> None:
    covered = {place for row in rows(COVERED) for place in row.places}
    assert {str(one) for one in found_in(ROOT).unbounded - covered} == set()


def test_each_loop_that_waits_stands_there() -> None:
    named = {
        place for heading in (BOUNDED, COVERED) for row in rows(heading) for place in row.places
    }
    assert {str(one) for one in found_in(ROOT).polls - named} == set()


def test_each_look_at_the_time_of_day_stands_there() -> None:
    named = {place for row in rows(TIME_OF_DAY) for place in row.places}
    assert found_in(ROOT).times_of_day == named


@pytest.mark.parametrize("heading", [BOUNDED, COVERED])
def test_what_the_tables_name_is_in_the_sources(heading: str) -> None:
    found = rows(heading)
    assert len(found) > 10
    for row in found:
        assert row.places, row
        for place in row.places:
            assert place.name in set(names_in(ROOT / place.path)), place


def test_each_length_is_that_of_the_sources() -> None:
    compared = 0
    for row in rows(BOUNDED):
        seconds, by = float(row.cells[2]), row.cells[3]
        lengths = list(lengths_of(row, by))
        assert lengths == [seconds] * len(lengths), row
        compared += bool(lengths)
    assert compared == len(rows(BOUNDED))


def lengths_of(row: Row, by: str) -> Iterator[float]:
    """The seconds that the option, or the constants, of a row say."""
    if option := OPTION.match(by):
        yield float(defaults()[option["name"]])
        return
    for place in row.places:
        value = constant(place)
        if value is not None:
            yield value


def defaults() -> dict[str, Any]:
    return {
        option.name: option.default
        for one in (dispatch_opts, backup_opts, volume_opts)
        for option in one.OPTS
    }


def constant(place: Place) -> float | None:
    """The value of a constant of a module or a class; None for a function."""
    body: list[ast.stmt] = ast.parse((ROOT / place.path).read_text()).body
    *above, name = place.name.split(".")
    for one in above:
        body = next(
            node.body for node in body if isinstance(node, ast.ClassDef) and node.name == one
        )
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(one, ast.Name) and one.id == name for one in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            made = eval(ast.unparse(node.value), {"timedelta": timedelta})
            return made.total_seconds() if isinstance(made, timedelta) else float(made)
    return None
