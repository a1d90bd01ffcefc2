# SPDX-License-Identifier: Apache-2.0
"""Values that are formatted differently in a table and in JSON, YAML or CSV."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn

from backup_dispatch.backends.loading import NAMESPACE
from backup_dispatch.command.units import in_units
from backup_dispatch.examination.finding import State
from backup_dispatch.masking import printable

if TYPE_CHECKING:
    Column = FormattableColumn[Any]
else:
    # In older releases of cliff the class is not generic.
    Column = FormattableColumn

_BORDERS = 3
"""Characters that each column of a table has besides its widest value."""

_SHORTEST = 6


class YesNo(Column):
    """A boolean: ``yes``, or empty."""

    def human_readable(self) -> str:
        """What a table shows."""
        return "yes" if self._value else ""


class UpDown(Column):
    """A state, in capitals in a table unless it is up."""

    def human_readable(self) -> str:
        """What a table shows."""
        word = self._word()
        return word if word == "up" else word.upper()

    def machine_readable(self) -> Any:
        """What machines get."""
        return self._word()

    def _word(self) -> str:
        # A backend that cannot write a backup is down, whatever else still works; see the text.
        if self._value >= State.UNWRITABLE:
            return "down"
        return "warn" if self._value > State.UP else "up"


class Day(Column):
    """A time in UTC: the day in a table, ISO 8601 for machines."""

    def human_readable(self) -> str:
        """What a table shows."""
        moment: datetime | None = self._value
        return moment.strftime("%Y-%m-%d") if moment else ""

    def machine_readable(self) -> Any:
        """What machines get."""
        return iso(self._value)


class Minute(Day):
    """A time in UTC: to the minute in a table, ISO 8601 for machines."""

    def human_readable(self) -> str:
        """What a table shows."""
        moment: datetime | None = self._value
        return moment.strftime("%Y-%m-%d %H:%M UTC") if moment else ""


class Lines(Column):
    """Several texts: one per line in a table, a list for machines.

    :param texts: for a table.
    :param values: for machines, if not the texts.
    """

    def __init__(self, texts: Sequence[str], values: Sequence[Any] | None = None) -> None:
        super().__init__(list(texts if values is None else values))
        self._texts = list(texts)

    def human_readable(self) -> str:
        """What a table shows."""
        return "\n".join(printable(one) for one in self._texts)


class Size(Column):
    """Bytes; in a table with a unit. None if unknown."""

    def human_readable(self) -> str:
        """What a table shows."""
        return "unknown" if self._value is None else in_units(self._value)


def iso(moment: datetime | None) -> str | None:
    """A time in UTC as ISO 8601."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def short_name(class_path: str) -> str:
    """A driver's name for operators: the registered name, else its class path."""
    return _names_by_class().get(class_path, class_path)


def name_in(service: str) -> str:
    """The name for operators of a record's ``service``: the backend, else the driver."""
    path, mark, name = service.partition("@")
    return name if mark else short_name(path)


@cache
def _names_by_class() -> dict[str, str]:
    names: dict[str, str] = {}
    for point in metadata.entry_points(group=NAMESPACE):
        names.setdefault(point.value.replace(":", "."), point.name)
    return names


def shortened(values: Sequence[str], limit: int = 3) -> str:
    """Some of the values, and the number of further ones."""
    more = len(values) - limit
    return ", ".join(values[:limit]) + (f" and {more} more" if more > 0 else "")


def fitted(
    columns: Sequence[str], rows: Sequence[Sequence[str]], cut: int
) -> list[tuple[str, ...]]:
    """The rows, with one column cut as far as a terminal has no room for it.

    :param cut: the number of that column.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    room = shutil.get_terminal_size().columns - sum(widths) - _BORDERS * len(columns) - 1
    width = max(_SHORTEST, widths[cut] + room)
    return [(*row[:cut], _cut(row[cut], width), *row[cut + 1 :]) for row in rows]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
