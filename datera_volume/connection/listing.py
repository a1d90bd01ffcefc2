# SPDX-License-Identifier: Apache-2.0
"""Reading a whole collection, whatever the cluster says about its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datera_volume.connection import tracing
from datera_volume.connection.answers import NO_DATA
from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import DateraError, UnexpectedAnswer

LOG = tracing.logger(__name__)

Fields = Mapping[str, Any]
Item = dict[str, Any]

# The most that the API lets one ask for.
MOST_PER_PAGE = 1000
# A list that goes on changing while it is read is taken as it is after so many readings.
READINGS = 3


def read_all(fetch: Callable[[Fields], Fields], dialect: Dialect, *, filtered: bool) -> list[Item]:
    """Return every item of a collection.

    :param fetch: returns one answer for the given further parameters.
    :param filtered: the answers are filtered, so old products' totals are too high.
    :raises UnexpectedAnswer: an answer is no list, or has fewer items than there are.
    """
    for reading in range(READINGS):
        all_items, changed, total = _read_once(fetch, dialect, filtered)
        # What moved from one page to the next stands on both.
        items = list({_identity(item): item for item in all_items}.values())
        short = total is not None and len(items) < total
        if not changed and not short:
            break
        LOG.debug("The list changed while it was read (%d)", reading + 1)
    if short:
        raise UnexpectedAnswer(f"A list of {total} came with {len(items)} items only")
    return items


def _read_once(
    fetch: Callable[[Fields], Fields], dialect: Dialect, filtered: bool
) -> tuple[list[Item], bool, int | None]:
    """Return what came, whether the list changed meanwhile, and its length where that is known."""
    answer = _page(fetch, {})
    items = _items(answer)
    metadata = _metadata(answer)
    if not dialect.pages:
        total = _number(metadata, "total")
        if not filtered and total is not None and total > len(items):
            answer = _page(fetch, {"limit": min(total, MOST_PER_PAGE)})
            items = _items(answer)
            total = _number(_metadata(answer), "total")
        return items, False, None if filtered else total
    first_total = _number(metadata, "total_count")
    trusted = dialect.total_counts_filter or not filtered
    changed = False
    total = first_total
    page = items
    while page and not _complete(metadata, len(page), len(items), trusted):
        answer = _page(fetch, {"offset": len(items)})
        page = _items(answer)
        metadata = _metadata(answer)
        now = _number(metadata, "total_count")
        total = total if now is None else now
        changed = changed or total != first_total
        items = items + page
    return items, changed, total if trusted else None


def _complete(metadata: Fields, on_page: int, so_far: int, trusted: bool) -> bool:
    total = _number(metadata, "total_count")
    limit = _number(metadata, "limit")
    if total is not None and so_far >= total:
        return True
    if trusted and total is not None:
        return False
    if limit:
        return on_page < limit
    # Without a limit and without a total to go by, only an empty page is the end; where the cluster
    # speaks of neither, it does not page this collection at all.
    return total is None


def _page(fetch: Callable[[Fields], Fields], extra: Fields) -> Fields:
    try:
        return fetch(extra)
    except DateraError as exc:
        if NO_DATA in str(exc):
            return {"data": []}
        raise


def _items(answer: Fields) -> list[Item]:
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UnexpectedAnswer(f"Expected a list of objects, got {type(data).__name__}")
    return list(data)


def _metadata(answer: Fields) -> Fields:
    metadata = answer.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _identity(item: Item) -> tuple[str, ...]:
    # The path alone does not do: that of a snapshot may end before its own id.
    return tuple(str(item.get(name)) for name in ("tenant", "path", "id", "uuid", "utc_ts", "name"))


def _number(metadata: Fields, name: str) -> int | None:
    value = metadata.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
