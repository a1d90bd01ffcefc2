# SPDX-License-Identifier: Apache-2.0
"""Times on a command line: ages as ``30d``, durations as ``2h``, and seconds."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta

LONGEST = timedelta(days=36500)

DAY = 86400.0
"""Seconds; the maximum time to wait for an answer."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"([0-9]{1,9})([hdw])")
_DURATIONS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_DURATION = re.compile(r"([0-9]{1,9})([mhd])")


def age(text: str) -> timedelta:
    """Read an age: hours, days or weeks.

    :raises argparse.ArgumentTypeError: it is none, or longer than a hundred years.
    """
    found = _AGE.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no age: write a number of hours, days or weeks, as 12h, 30d or 8w"
        )
    number, unit = found.groups()
    long = int(number) * _UNITS[unit]
    if long > LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is more than a hundred years")
    return long


def duration(text: str) -> timedelta:
    """Read how long something may take: minutes, hours or days.

    :raises argparse.ArgumentTypeError: it is none, not above 0, or longer than a hundred years.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write a number of minutes, hours or days, as 45m, 2h or 1d"
        )
    number, unit = found.groups()
    long = int(number) * _DURATIONS[unit]
    if long > LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is more than a hundred years")
    return long


def in_words(long: float) -> str:
    """Seconds as a person says them: ``40 s``, ``12 min``, ``3 h 05 min``, ``2 d 4 h``."""
    minutes, hours = round(long / 60), round(long / 3600)
    if minutes < 1:
        return f"{long:.0f} s"
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min"
    if hours < 48:  # noqa: PLR2004
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{hours // 24} d {hours % 24} h"


def seconds(text: str) -> float:
    """Read a time to wait, in seconds.

    :raises argparse.ArgumentTypeError: it is none, not above 0, or more than a day.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    # NaN is within no bounds.
    if not 0 < number <= DAY:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write seconds above 0 and up to {DAY:.0f}, which is a day"
        )
    return number
