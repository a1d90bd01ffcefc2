# SPDX-License-Identifier: Apache-2.0
"""What was backed up when: one square a day, a column a week, as calendars of commits are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta

import svg
from markupsafe import Markup

from backup_dispatch.jobs.report.days import WEEKS, Day, first_day
from backup_dispatch.jobs.report.drawing import label, picture, title

LEVELS = 4

_STEP = 14
_SIZE = 12
_LEFT = 26
_TOP = 16
_DAYS = ("Mon", "", "Wed", "", "Fri", "", "Sun")


def drawn(days: Mapping[date, Day], today: date, weeks: int = WEEKS) -> Markup:
    """The calendar that ends with today."""
    start = first_day(today, weeks)
    most = max((days[one].made for one in days if start <= one <= today), default=0)
    shapes: list[svg.Element] = [
        label(text, 0, _TOP + row * _STEP + _SIZE - 2) for row, text in enumerate(_DAYS) if text
    ]
    month, last = 0, -3
    for number in range((today - start).days + 1):
        day = start + timedelta(days=number)
        column, row = divmod(number, 7)
        x, y = _LEFT + column * _STEP, _TOP + row * _STEP
        if row == 0 and day.month != month:
            month = day.month
            if column - last > 2:  # noqa: PLR2004 - a name is as wide as two weeks
                last = column
                shapes.append(label(f"{day:%b}", x, _TOP - 5))
        found = days.get(day, Day())
        name = f"d{_level(found.made, most)}" + (" bad" if found.failed else "")
        shapes.append(
            svg.Rect(
                x=x, y=y, width=_SIZE, height=_SIZE, rx=2.5, class_=name.split(),
                elements=[title(found.told(day))],
            )
        )  # fmt: skip
    made = sum(one.made for one in days.values())
    failed = sum(one.failed for one in days.values())
    about = f"{made} backups and {failed} failures from {start} to {today}, day by day"
    return picture(_LEFT + weeks * _STEP, _TOP + 7 * _STEP, shapes, about)


def _level(made: int, most: int) -> int:
    return math.ceil(LEVELS * made / most) if made else 0
