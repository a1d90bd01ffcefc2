# SPDX-License-Identifier: Apache-2.0
"""Reading a whole collection, however the cluster paginates it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datera_volume.connection.dialect import Dialect
from datera_volume.connection.errors import DateraError, UnexpectedAnswer
from datera_volume.connection.transport import tracing
from datera_volume.connection.transport.responses import NO_DATA

LOG = tracing.logger(__name__)

Fields = Mapping[str, Any]
Item = dict[str, Any]

# The API's maximum.
MOST_PER_PAGE = 1000
# Six times the cluster's largest limit: 16,384 snapshots.
MOST_ITEMS = 100_000
# A list that keeps changing while it is read is accepted after this many passes.
READINGS = 3


def read_all(fetch: Callable[[Fields], Fields], dialect: Dialect, *, filtered: bool) -> list[Item]:
    """Return every item of a collection.

    :param fetch: returns one response for the given further parameters.
    :param filtered: the list is filtered, so old products' totals are too high.
    :raises UnexpectedAnswer: a response is not a list, is incomplete, or the list does not end.
    """
    for reading in range(READINGS):
        once = _read_once(fetch, dialect, filtered)
        items = list(once.items.values())
        short = once.total is not None and len(items) < once.total
        if not once.changed and not once.repeated and not short:
            break
        LOG.debug("The list changed while it was read (%d)", reading + 1)
    if short:
        raise UnexpectedAnswer(f"A list of {once.total} came with {len(items)} items only")
    if once.repeated:
        raise UnexpectedAnswer(f"After {len(items)} items of a list came the same ones again")
    return items


def total_of(response: Fields, dialect: Dialect) -> int | None:
    """Return a collection's total, from a part of it; None where it is not reported."""
    return _number(_metadata(response), "total_count" if dialect.pages else "total")


@dataclass(frozen=True)
class _Reading:
    """The result of reading a list once.

    :param items: by identity: an item that moved to the next page meanwhile is on both.
    :param changed: the total changed while it was read.
    :param total: its length, where that is known.
    :param repeated: a page had only known items, so reading stopped.
    """

    items: dict[tuple[str, ...], Item]
    changed: bool = False
    total: int | None = None
    repeated: bool = False


def _read_once(fetch: Callable[[Fields], Fields], dialect: Dialect, filtered: bool) -> _Reading:
    response = _page(fetch, {})
    page = _items(response)
    metadata = _metadata(response)
    if not dialect.pages:
        total = _number(metadata, "total")
        if not filtered and total is not None and total > len(page):
            response = _page(fetch, {"limit": min(total, MOST_PER_PAGE)})
            page = _items(response)
            total = _number(_metadata(response), "total")
        return _Reading(_identified(page), total=None if filtered else total)
    first_total = _number(metadata, "total_count")
    trusted = dialect.total_counts_filter or not filtered
    changed, repeated = False, False
    total = first_total
    items, so_far = _identified(page), len(page)
    while page and not _complete(metadata, len(page), so_far, trusted):
        if so_far > MOST_ITEMS:
            raise UnexpectedAnswer(f"A list does not end after {so_far} items")
        response = _page(fetch, {"offset": so_far})
        page = _items(response)
        metadata = _metadata(response)
        now = _number(metadata, "total_count")
        total = total if now is None else now
        changed = changed or total != first_total
        known = len(items)
        items |= _identified(page)
        so_far += len(page)
        repeated = bool(page) and len(items) == known
        if repeated:
            break
    return _Reading(items, changed, total if trusted else None, repeated)


def _identified(page: list[Item]) -> dict[tuple[str, ...], Item]:
    return {_identity(item): item for item in page}


def _complete(metadata: Fields, on_page: int, so_far: int, trusted: bool) -> bool:
    total = _number(metadata, "total_count")
    limit = _number(metadata, "limit")
    if total is not None and so_far >= total:
        return True
    if trusted and total is not None:
        return False
    if limit:
        return on_page < limit
    # With neither a limit nor a usable total, only an empty page is the end; where the cluster
    # reports neither, it does not paginate this collection.
    return total is None


def _page(fetch: Callable[[Fields], Fields], extra: Fields) -> Fields:
    try:
        return fetch(extra)
    except DateraError as exc:
        if NO_DATA in str(exc):
            return {"data": []}
        raise


def _items(response: Fields) -> list[Item]:
    data = response.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UnexpectedAnswer(f"Expected a list of objects, got {type(data).__name__}")
    return list(data)


def _metadata(response: Fields) -> Fields:
    metadata = response.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _identity(item: Item) -> tuple[str, ...]:
    # The path is not enough: that of a snapshot may end before its own id.
    return tuple(str(item.get(name)) for name in ("tenant", "path", "id", "uuid", "utc_ts", "name"))


def _number(metadata: Fields, name: str) -> int | None:
    value = metadata.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
