# SPDX-License-Identifier: Apache-2.0
"""Filter, order and page a list, as the query parameters of a GET ask.

Only two uses of the filter grammar are known: ``match(name,REGEX)`` and ``name=foo``. Anything
else is refused, so that it is noticed here if a client relies on more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from datera_emulator.errors import ValidationFailed

Item = TypeVar("Item")
Attribute = Callable[[Item, str], Any]

_MATCH = re.compile(r"match\((?P<key>\w+),(?P<pattern>.*)\)\Z", re.DOTALL)
_EQUAL = re.compile(r"(?P<key>\w+)={1,2}(?P<value>.*)\Z", re.DOTALL)
_LARGEST_LIMIT = 1000


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some items of a list, and the list's metadata about them."""

    items: Sequence[Item]
    total: int  # of all that there are
    filtered: int  # of all that the filter let through
    limit: int
    offset: int


@dataclass(frozen=True)
class Query:
    """The query of a GET of a list; ``limit`` None means all, or one page if there are pages."""

    filter: str | None = None
    sort: str | None = None
    limit: int | None = None
    offset: int = 0

    @classmethod
    def read(cls, parameters: Mapping[str, str], *, pages: bool) -> Query:
        """Take the query from an URL's parameters.

        :raises ValidationFailed: one of them does not fit the schema.
        """
        for name in ("filter", "sort"):
            if any(letter.isspace() for letter in parameters.get(name, "")):
                raise ValidationFailed(f"{name}: no spaces allowed")
        if "offset" in parameters and not pages:
            raise ValidationFailed("offset: not known before API version 2.2")
        return cls(
            filter=parameters.get("filter") or None,
            sort=parameters.get("sort") or None,
            limit=_number(parameters, "limit", _LARGEST_LIMIT),
            offset=_number(parameters, "offset", None) or 0,
        )

    def apply(
        self,
        items: Sequence[Item],
        attribute: Attribute[Item],
        *,
        largest_page: int | None,
        search: bool = True,
    ) -> Page[Item]:
        """Return the page that this query asks for.

        :param attribute: returns an item's value by name; raises KeyError if there is none.
        :param largest_page: maximum number of items in a response; None: no limit.
        :param search: whether ``match`` matches anywhere in the value, not only all of it.
        :raises ValidationFailed: the filter or the order is not understood.
        """
        chosen: Sequence[Item] = items
        if self.filter is not None:
            accepts = _predicate(self.filter, attribute, search=search)
            chosen = [item for item in items if accepts(item)]
        if self.sort is not None:
            chosen = _ordered(chosen, self.sort, attribute)
        limit = self.limit
        if largest_page is not None:
            limit = largest_page if limit is None else min(limit, largest_page)
        stop = len(chosen) if limit is None else self.offset + limit
        return Page(
            items=chosen[self.offset : stop],
            total=len(items),
            filtered=len(chosen),
            limit=len(chosen) if limit is None else limit,
            offset=self.offset,
        )


def _number(parameters: Mapping[str, str], name: str, largest: int | None) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not text.isdecimal() or (largest is not None and int(text) > largest):
        raise ValidationFailed(f"{name}: must be an integer from 0 to {largest or 'any'}")
    return int(text)


def _predicate(text: str, attribute: Attribute[Item], *, search: bool) -> Callable[[Item], bool]:
    if found := _MATCH.match(text):
        key = found["key"]
        try:
            pattern = re.compile(found["pattern"])
        except re.error as exc:
            raise ValidationFailed(f"filter: not a regular expression: {exc}") from exc
        test = pattern.search if search else pattern.fullmatch
        return lambda item: test(_text(item, key, attribute)) is not None
    if found := _EQUAL.match(text):
        key, value = found["key"], found["value"]
        return lambda item: _text(item, key, attribute) == value
    raise ValidationFailed(f"filter: {text!r} is not supported")


def _text(item: Item, key: str, attribute: Attribute[Item]) -> str:
    try:
        value = attribute(item, key)
    except KeyError as exc:
        raise ValidationFailed(f"filter: no attribute {key!r}") from exc
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _ordered(items: Sequence[Item], sort: str, attribute: Attribute[Item]) -> list[Item]:
    # Only "name of attribute … default sort is ascending" is known; the sign is RQL's own.
    key = sort.lstrip("+-")
    try:
        return sorted(
            items, key=lambda item: _comparable(attribute(item, key)), reverse=sort.startswith("-")
        )
    except KeyError as exc:
        raise ValidationFailed(f"sort: no attribute {key!r}") from exc


def _comparable(value: Any) -> tuple[int, float, str]:
    if isinstance(value, (int, float)):
        return 0, float(value), ""
    return 1, 0.0, str(value)
