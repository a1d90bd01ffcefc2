# SPDX-License-Identifier: Apache-2.0
"""The table of mistakes has those that tests make, and no others."""

from __future__ import annotations

import re

from tests.fixtures.pages import ROOT
from tests.fixtures.pages.mistakes import rows

MADE_BY = ROOT / "tests" / "functional" / "backup_dispatch"
LABEL = re.compile(r'^    Mistake\(\n        "(.+)",$', re.MULTILINE)


def test_each_mistake_of_the_table_is_made_by_a_test_and_the_other_way_round() -> None:
    made: list[str] = []
    for file in MADE_BY.glob("test_mistakes_*.py"):
        made += LABEL.findall(file.read_text())
    assert len(made) > 60
    assert sorted(made) == sorted(one.label for one in rows())
