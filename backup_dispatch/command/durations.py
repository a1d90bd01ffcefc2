# SPDX-License-Identifier: Apache-2.0
"""Times on a command line: ages as ``12h``, ``30d`` or ``8w``, and seconds."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta

LONGEST = timedelta(days=36500)

DAY = 86400.0
"""Seconds; the maximum time to wait for an answer."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"([0-9]{1,9})([hdw])")


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
