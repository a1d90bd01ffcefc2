# SPDX-License-Identifier: Apache-2.0
"""Lists come whole, whatever the cluster says about its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from datera_volume.connection import NotOnCluster, UnexpectedAnswer
from datera_volume.connection.dialect import dialect_for
from datera_volume.connection.transport.listing import read_all

NEW, OLD, V21 = (
    dialect_for("2.2", "3.3.0.0"),
    dialect_for("2.2", "3.2.0.0"),
    dialect_for("2.1", "3.2.0.0"),
)
HIDDEN = 10_000


class Pages:
    """A paged collection; ``hidden`` more are counted in the total but filtered out."""

    def __init__(self, count: int, *, size: int = 100, hidden: int = 0, limit: bool = True) -> None:
        self.items = [{"path": f"/x/{n}"} for n in range(count)]
        self.size, self.hidden, self.limit = size, hidden, limit
        self.requests = 0

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.requests += 1
        offset = params.get("offset", 0)
        page = self.items[offset : offset + self.size]
        metadata = {
            "total_count": len(self.items) + self.hidden,
            "request_count": len(page),
            "offset": offset,
        }
        if self.limit:
            metadata["limit"] = self.size
        return {"data": page, "metadata": metadata}


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (99, 1), (100, 1), (101, 2), (250, 3)])
def test_all_pages_are_read_and_none_too_many(count: int, requests: int) -> None:
    pages = Pages(count)
    assert read_all(pages, NEW, filtered=False) == pages.items
    assert pages.requests == requests


@pytest.mark.parametrize("count", [99, 100, 250])
def test_a_filtered_list_is_whole_although_an_old_products_total_is_too_high(count: int) -> None:
    pages = Pages(count, hidden=HIDDEN)
    assert read_all(pages, OLD, filtered=True) == pages.items
    assert pages.requests <= count // 100 + 1


@pytest.mark.parametrize(("dialect", "filtered"), [(NEW, False), (OLD, True)])
def test_a_list_is_whole_although_the_limit_is_not_told(dialect: Any, filtered: bool) -> None:
    pages = Pages(250, limit=False, hidden=HIDDEN if filtered else 0)
    assert read_all(pages, dialect, filtered=filtered) == pages.items


def test_a_list_that_changes_is_read_again_and_nothing_stands_twice() -> None:
    pages = Pages(150)

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        answer = pages(params)
        if pages.requests == 1:
            pages.items.insert(0, {"path": "/x/new"})
        return answer

    found = read_all(fetch, NEW, filtered=False)
    assert sorted(i["path"] for i in found) == sorted(i["path"] for i in pages.items)


def test_a_list_that_never_stands_still_is_taken_at_last() -> None:
    pages = Pages(150)

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        answer = pages(params)
        pages.items.append({"path": f"/x/more{pages.requests}"})
        return answer

    assert len(read_all(fetch, NEW, filtered=False)) >= 150


def test_without_metadata_the_answer_is_the_whole_list() -> None:
    assert read_all(lambda _p: {"data": [{"id": "1"}]}, NEW, filtered=False) == [{"id": "1"}]


def test_api_21_is_asked_for_as_many_as_it_says_there_are() -> None:
    items = [{"id": str(n)} for n in range(150)]

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        assert "offset" not in params
        return {"data": items[: params.get("limit", 100)], "metadata": {"total": 150}}

    assert read_all(fetch, V21, filtered=False) == items


def test_api_21_that_keeps_something_back_is_told() -> None:
    with pytest.raises(UnexpectedAnswer, match="150"):
        read_all(
            lambda _p: {"data": [{"id": "1"}], "metadata": {"total": 150}}, V21, filtered=False
        )


def test_api_21_with_more_than_it_can_hand_out_is_told() -> None:
    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        items = [{"id": str(n)} for n in range(min(params.get("limit", 100), 1000))]
        return {"data": items, "metadata": {"total": 1500}}

    with pytest.raises(UnexpectedAnswer, match="1500 came with 1000"):
        read_all(fetch, V21, filtered=False)


@pytest.mark.parametrize("end", [{"data": [], "metadata": {"total_count": 250}}, {"data": []}])
def test_pages_that_end_before_the_total_are_told(end: dict[str, Any]) -> None:
    pages = Pages(250)

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        return end if params.get("offset") else pages(params)

    with pytest.raises(UnexpectedAnswer, match="250 came with 100"):
        read_all(fetch, NEW, filtered=False)


def test_what_slipped_between_two_pages_is_looked_for_again() -> None:
    pages = Pages(150)

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        answer = pages(params)
        if pages.requests == 1:
            # The list is as long as before, and its second page begins with an item of the first.
            pages.items = [{"path": "/x/new"}, *pages.items[:-1]]
        return answer

    found = read_all(fetch, NEW, filtered=False)
    assert {i["path"] for i in found} == {i["path"] for i in pages.items}


def test_no_data_is_an_empty_list() -> None:
    def fetch(_params: Mapping[str, Any]) -> dict[str, Any]:
        raise NotOnCluster("GET /x: 404 No data at /x")

    assert read_all(fetch, NEW, filtered=False) == []


@pytest.mark.parametrize("data", [None, {"a": 1}, ["texts"], "text"])
def test_what_is_no_list_of_objects_is_told(data: Any) -> None:
    with pytest.raises(UnexpectedAnswer):
        read_all(lambda _p: {"data": data}, NEW, filtered=False)


class Repeating(Pages):
    """Gives its first page again and again, and says that there are a great many."""

    def __init__(self, total: int | None, limit: int | None = 100) -> None:
        super().__init__(100)
        self.metadata = {
            name: value for name, value in (("total_count", total), ("limit", limit)) if value
        }

    def __call__(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.requests += 1
        assert self.requests < 100, "asked without end"
        return {"data": self.items, "metadata": self.metadata}


def test_a_list_that_repeats_a_page_and_claims_a_billion_items_is_told() -> None:
    pages = Repeating(10**9)
    with pytest.raises(UnexpectedAnswer, match="1000000000 came with 100"):
        read_all(pages, NEW, filtered=False)
    assert pages.requests <= 6


@pytest.mark.parametrize(
    ("dialect", "filtered", "total"), [(OLD, True, HIDDEN), (OLD, True, None), (NEW, False, None)]
)
def test_a_list_that_repeats_a_page_is_told_although_its_length_is_not_known(
    dialect: Any, filtered: bool, total: int | None
) -> None:
    with pytest.raises(UnexpectedAnswer, match="100 items of a list came the same ones again"):
        read_all(Repeating(total), dialect, filtered=filtered)


def test_a_list_without_end_is_told() -> None:
    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        first = params.get("offset", 0)
        assert first < 200_000, "asked without end"
        items = [{"path": f"/x/{n}"} for n in range(first, first + 1000)]
        return {"data": items, "metadata": {"total_count": 10**9, "limit": 1000}}

    with pytest.raises(UnexpectedAnswer, match="does not end after 101000 items"):
        read_all(fetch, NEW, filtered=False)


def test_one_item_that_moved_to_the_last_page_is_no_repetition_without_end() -> None:
    pages = Pages(101)

    def fetch(params: Mapping[str, Any]) -> dict[str, Any]:
        answer = pages(params)
        if pages.requests == 1:
            pages.items = [{"path": "/x/new"}, *pages.items[:-1]]
        return answer

    found = read_all(fetch, NEW, filtered=False)
    assert {i["path"] for i in found} == {i["path"] for i in pages.items}
