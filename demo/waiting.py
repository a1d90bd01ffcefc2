# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true: short, growing intervals, and a deadline.

A server that starts or restarts answers late, with an error, or not at all: any exception from a
query means "not yet". Only a `Permanent` failure ends a wait before its deadline.
"""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

FIRST_INTERVAL = 0.02
LONGEST_INTERVAL = 0.5
GROWTH = 1.4


class Permanent(Exception):
    """A failure for which waiting is useless."""


class NotYet(Exception):
    """Raised by a query that can report what it has seen instead."""


class TookTooLong(Exception):
    """The wait timed out; the message says what was seen last."""


def until(
    what: str,
    answer: Callable[[], Answer | None],
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Call ``answer`` repeatedly until it returns something true, and return that.

    :param what: what is waited for, for the error's text.
    :param answer: must itself return in time. An exception means "not yet",
        unless it is `Permanent` or a failed assertion: those are raised at once.
    :param seconds: maximum time to wait.
    :raises TookTooLong: the deadline passes first.
    """
    deadline = clock() + seconds
    interval = FIRST_INTERVAL
    while True:
        seen: Exception | None = None
        try:
            result = answer()
        except (Permanent, AssertionError):
            raise
        except Exception as error:
            seen = error
        else:
            if result:
                return result
        left = deadline - clock()
        if left <= 0:
            raise TookTooLong(f"{what}: not within {seconds:g} seconds{_told(seen)}") from seen
        sleep(min(interval, left))
        interval = min(interval * GROWTH, LONGEST_INTERVAL)


def _told(seen: Exception | None) -> str:
    """Return what was seen last as the end of a sentence."""
    if seen is None:
        return ""
    if isinstance(seen, NotYet):
        return f"; last seen: {seen}"
    return f"; last error: {type(seen).__name__}: {seen}"
