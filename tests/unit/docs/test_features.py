# SPDX-License-Identifier: Apache-2.0
"""The table of features beside other drivers names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
TESTS = PROJECT / "tests" / "functional" / "datera_volume"
OURS, HELD_BY = 4, 5


def rows() -> list[list[str]]:
    page = (PROJECT / "docs" / "volume-driver-features.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")][1:] for line in lines[1:]]


def test_each_feature_that_is_there_names_a_test_that_is_there() -> None:
    assert len(rows()) > 20
    for row in rows():
        named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row[HELD_BY])
        assert named or row[OURS] == "no", row
        for file, name in named:
            path = PROJECT / file if file.startswith("tests/") else TESTS / file
            assert not name or f"\ndef {name}(" in path.read_text(), (file, name)
            assert path.is_file(), file
