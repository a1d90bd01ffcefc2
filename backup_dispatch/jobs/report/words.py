# SPDX-License-Identifier: Apache-2.0
"""Sizes, times and spans as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

_STEP = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_SHORTEST_ID = 8

HOURS_UP_TO = timedelta(days=2)
DAYS_UP_TO = timedelta(days=60)
_MONTH = 30.44
_YEARS_FROM = 24


def size(amount: float) -> str:
    """Bytes with a unit that keeps the number short."""
    unit = 0
    while amount >= _STEP and unit < len(_UNITS) - 1:
        amount, unit = amount / _STEP, unit + 1
    return f"{amount:.0f} {_UNITS[0]}" if unit == 0 else f"{amount:.1f} {_UNITS[unit]}"


def minute(moment: datetime) -> str:
    """A moment in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def span(long: timedelta) -> str:
    """A span in its largest sensible unit: ``3 hours``, ``12 days``, ``5 months``."""
    if long < timedelta(hours=1):
        return _counted(max(0, int(long.total_seconds() // 60)), "minute")
    if long < HOURS_UP_TO:
        return _counted(int(long.total_seconds() // 3600), "hour")
    if long < DAYS_UP_TO:
        return _counted(long.days, "day")
    months = int(long.days / _MONTH)
    return _counted(months, "month") if months < _YEARS_FROM else _counted(months // 12, "year")


def counted(number: int, noun: str) -> str:
    """``1 backup``, ``12 backups``."""
    return _counted(number, noun)


def short(identifier: str) -> str:
    """The beginning of an ID, by which commands find it."""
    return identifier[:_SHORTEST_ID]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
