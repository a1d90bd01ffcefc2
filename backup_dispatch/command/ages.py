# SPDX-License-Identifier: Apache-2.0
"""Ages on a command line: ``12h``, ``30d``, ``8w``."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta

LONGEST = timedelta(days=36500)

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
