# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true: short, growing intervals, and a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

FIRST_INTERVAL = 0.02
LONGEST_INTERVAL = 0.5
GROWTH = 1.4


class TookTooLong(Exception):
    """What was waited for did not happen before the deadline."""


def until(
    what: str,
    answer: Callable[[], Answer | None],
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Ask ``answer`` again and again until it returns something true, and return that.

    :param what: what is waited for, for the error's text.
    :param seconds: how long to wait at most.
    :raises TookTooLong: when the deadline passes first.
    """
    deadline = clock() + seconds
    interval = FIRST_INTERVAL
    while True:
        result = answer()
        if result:
            return result
        left = deadline - clock()
        if left <= 0:
            raise TookTooLong(f"{what}: not within {seconds:g} seconds")
        sleep(min(interval, left))
        interval = min(interval * GROWTH, LONGEST_INTERVAL)
