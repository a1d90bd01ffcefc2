# SPDX-License-Identifier: Apache-2.0
"""Which backups a rule keeps, by their times alone; the options mean what they mean in restic.

``hourly`` to ``yearly`` divide time into calendar hours, days, ISO weeks, months and years in UTC.
Of each of the last N that have a backup at all, the newest one is kept; the oldest backup of
all is kept too while fewer than N were found, so that history is as long as it can be.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

UNLIMITED = -1
"""As a count: keep one of each hour, day, … that there is."""

_UNLIMITED = "unlimited"
_MOST = 1_000_000
_LONGEST = timedelta(days=36525)
_COUNT = re.compile(r"[0-9]{1,7}")
_PART = re.compile(r"([0-9]{1,7})([ymwdh])")
_UNITS = {"y": "years", "m": "months", "w": "weeks", "d": "days", "h": "hours"}
_MONTHS = 12


class PolicyInvalid(ValueError):
    """A text is no count or no span of time; the message says what to write."""


@dataclass(frozen=True)
class Span:
    """A span of time on the calendar, to be counted back from a moment."""

    years: int = 0
    months: int = 0
    weeks: int = 0
    days: int = 0
    hours: int = 0

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        values = {letter: getattr(self, name) for letter, name in _UNITS.items()}
        return "".join(f"{value}{letter}" for letter, value in values.items() if value) or "0h"

    def before(self, moment: datetime) -> datetime:
        """The moment so much earlier; a day that a month does not have is its last day."""
        ahead = moment.year * _MONTHS + moment.month - 1 - self.years * _MONTHS - self.months
        year, month = max(divmod(ahead, _MONTHS), (1, 0))
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        earlier = moment.replace(year=year, month=month + 1, day=day)
        long = timedelta(weeks=self.weeks, days=self.days, hours=self.hours)
        first = datetime.min.replace(tzinfo=moment.tzinfo)
        return earlier - long if earlier - first > long else first


@dataclass(frozen=True)
class Policy:
    """How many are kept of which kind; a backup goes if none of them keeps it.

    :ivar within: all that are younger than the newest by less than that.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: Span = Span()

    @property
    def keeps_nothing(self) -> bool:
        """Whether all backups go."""
        return self == Policy()


Bucket = Callable[[datetime, int], Any]

_BUCKETS: dict[str, Bucket] = {
    "last": lambda _moment, number: number,
    "hourly": lambda moment, _number: (moment.date(), moment.hour),
    "daily": lambda moment, _number: moment.date(),
    "weekly": lambda moment, _number: moment.isocalendar()[:2],
    "monthly": lambda moment, _number: (moment.year, moment.month),
    "yearly": lambda moment, _number: moment.year,
}

COUNTS = tuple(_BUCKETS)
"""The names of a policy's counts."""

NAMES = (*COUNTS, "within")
"""The names of all that a policy consists of."""


def reasons(policy: Policy, moments: Sequence[datetime], now: datetime) -> list[list[str]]:
    """Why each backup is kept; those with no reason go.

    :param moments: when the backups of one group were made, the newest first.
    :param now: what lies behind it counts as a clock's mistake: ``within`` does not begin there.
    """
    kept: list[list[str]] = [[] for _ in moments]
    for name, bucket in _BUCKETS.items():
        for number in _newest_of_each(getattr(policy, name), bucket, moments):
            kept[number].append(name)
    if policy.within:
        begin = _begin(policy.within, moments, now)
        for number, moment in enumerate(moments):
            if begin is None or moment > begin:
                kept[number].append(f"within {policy.within}")
    return kept


def _newest_of_each(count: int, bucket: Bucket, moments: Sequence[datetime]) -> list[int]:
    found: list[int] = []
    previous: Any = None
    for number, moment in enumerate(moments):
        if count not in (UNLIMITED,) and len(found) >= count:
            break
        current = bucket(moment, number)
        if not found or current != previous or number == len(moments) - 1:
            found.append(number)
            previous = current
    return found


def _begin(within: Span, moments: Sequence[datetime], now: datetime) -> datetime | None:
    newest = next((moment for moment in moments if moment <= now), None)
    return None if newest is None else within.before(newest)


def count(text: str) -> int:
    """Read how many: a number, or ``unlimited``.

    :raises PolicyInvalid: it is neither.
    """
    if text.strip().lower() == _UNLIMITED:
        return UNLIMITED
    if _COUNT.fullmatch(text.strip()) and int(text) <= _MOST:
        return int(text)
    raise PolicyInvalid(f"{text!r}: write a number up to {_MOST}, or {_UNLIMITED}")


def span(text: str) -> Span:
    """Read a span such as ``14d``, ``8w`` or ``1y6m``: years, months, weeks, days and hours.

    :raises PolicyInvalid: it is none, names a unit twice, or is more than a hundred years.
    """
    parts = _PART.findall(text.strip())
    units = [unit for _, unit in parts]
    whole = "".join(number + unit for number, unit in parts)
    if not parts or whole != text.strip() or len(set(units)) < len(units):
        raise PolicyInvalid(
            f"{text!r} is no span of time: write numbers of years, months, weeks, days or hours, "
            "as 14d, 8w, 12h or 1y6m"
        )
    found = replace(Span(), **{_UNITS[unit]: int(number) for number, unit in parts})
    years = found.years + found.months / _MONTHS
    rest = timedelta(weeks=found.weeks, days=found.days, hours=found.hours)
    if years * 365.25 + rest / timedelta(days=1) > _LONGEST / timedelta(days=1):
        raise PolicyInvalid(f"{text} is more than a hundred years")
    return found


def described(policy: Policy) -> str:
    """The policy in words: ``last 3, daily 14, within 2d``."""
    words = []
    for name in COUNTS:
        number = getattr(policy, name)
        if number:
            words.append(f"{name} {_UNLIMITED if number == UNLIMITED else number}")
    if policy.within:
        words.append(f"within {policy.within}")
    return ", ".join(words) or "nothing"
