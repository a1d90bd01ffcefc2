# SPDX-License-Identifier: Apache-2.0
"""Filter, order and pages of lists."""

from __future__ import annotations

from typing import Any

import pytest

from datera_emulator.api.query import Query
from datera_emulator.errors import ValidationFailed

ITEMS = [{"name": f"OS-{number}", "size": number, "on": number % 2 == 0} for number in range(25)]


def names(items: Any) -> list[str]:
    return [item["name"] for item in items]


def ask(largest_page: int | None = 100, search: bool = True, **parameters: str) -> Any:
    query = Query.read(parameters, pages=True)
    return query.apply(ITEMS, lambda item, key: item[key], largest_page=largest_page, search=search)


def test_match_looks_anywhere_or_at_the_whole() -> None:
    assert names(ask(filter="match(name,-2[0-3])").items) == ["OS-20", "OS-21", "OS-22", "OS-23"]
    assert names(ask(filter="match(name,-2)", search=False).items) == []
    assert names(ask(filter="match(name,OS-(1|2))", search=False).items) == ["OS-1", "OS-2"]


def test_equality_is_exact_and_knows_numbers_and_truth() -> None:
    assert names(ask(filter="name=OS-2").items) == ["OS-2"]
    assert names(ask(filter="size=7").items) == ["OS-7"]
    assert len(ask(filter="on=true").items) == 13


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": "name = foo"},
        {"filter": "match(name,[)"},
        {"filter": "like(name,foo)"},
        {"filter": "colour=blue"},
        {"sort": "colour"},
        {"limit": "1001"},
        {"limit": "-1"},
        {"offset": "x"},
    ],
)
def test_unknown_filter_or_order_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        ask(**parameters)


def test_offset_is_not_known_where_there_are_no_pages() -> None:
    with pytest.raises(ValidationFailed, match=r"2\.2"):
        Query.read({"offset": "1"}, pages=False)


def test_pages_follow_one_another_without_gap_or_overlap() -> None:
    seen: list[str] = []
    for offset in range(0, 30, 10):
        page = ask(limit="10", offset=str(offset))
        assert page.total == page.filtered == 25
        assert page.limit == 10
        seen += names(page.items)
    assert seen == names(ITEMS)


def test_a_page_is_never_larger_than_allowed() -> None:
    assert len(ask(largest_page=4, limit="20").items) == 4
    assert ask(largest_page=4, limit="20").limit == 4
    assert len(ask(largest_page=None).items) == 25
    assert len(ask(limit="0").items) == 0


def test_sorting_is_by_number_where_there_are_numbers_and_can_be_turned_round() -> None:
    assert names(ask(sort="-size", limit="2").items) == ["OS-24", "OS-23"]
    assert names(ask(sort="name", limit="3").items) == ["OS-0", "OS-1", "OS-10"]
