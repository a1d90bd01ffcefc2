# SPDX-License-Identifier: Apache-2.0
"""What a backup among many costs is told for each tenth, with what it grew by."""

from __future__ import annotations

from typing import Any

import pytest

from bench import scale


def tenth(cost: float) -> dict[str, Any]:
    figures = dict.fromkeys(scale.FIGURES, cost)
    return {**figures, "memory": cost * 1e6, "kinds": {"GET /rare": 0.5, "GET /often": 3.0}}


def test_the_table_has_a_line_for_each_tenth_and_what_the_last_adds_to_the_first() -> None:
    tenths = [tenth(100.0 + number) for number in range(scale.TENTHS)]
    found = {"volumes": 60, "at_once": 8, **dict.fromkeys(scale.PHASES, tenths)}
    lines = scale.table(found).splitlines()
    assert "full backups of 60 volumes, 8 at a time; one backup's share:" in lines
    assert f"| 10 | {' | '.join(['109.0'] * len(scale.FIGURES))} | 109 MB |" in lines
    assert f"| last / first | {' | '.join(['1.09'] * (len(scale.FIGURES) + 1))} |" in lines
    assert lines.index("- 3.0 GET /often") + 1 == lines.index("- 0.500 GET /rare")


def test_where_the_time_goes_is_told_by_owner_as_a_share_of_all_tenths() -> None:
    spent = [["ours", "requests", 0.002], ["Cinder's", "database", 0.02], ["ours", "Python", 0.004]]
    tenths = [{**tenth(1.0), "where": spent}, tenth(1.0)]
    found = {"volumes": 2, "at_once": 1, **dict.fromkeys(scale.PHASES, tenths)}
    lines = scale.table(found).splitlines()
    at = lines.index("| processor time of one backup | | ms |")
    assert lines[at + 2 : at + 5] == [
        "| Cinder's | database | 10.0 |",
        "| ours | Python | 2.0 |",
        "| ours | requests | 1.0 |",
    ]


def test_growth_of_a_figure_that_is_zero_is_one() -> None:
    assert scale.growth([tenth(0.0), tenth(0.0)], "requests") == 1.0


@pytest.mark.parametrize("words", [("--volumes", "9"), ("--volumes", "x"), ("--at-once", "0")])
def test_too_few_are_refused_with_how_many_it_takes(
    capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit):
        scale.main(words)
    least = scale.TENTHS if words[0] == "--volumes" else 1
    assert f"{words[1]} is not a whole number from {least} on" in capsys.readouterr().err
