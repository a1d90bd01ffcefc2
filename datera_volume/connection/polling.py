# SPDX-License-Identifier: Apache-2.0
"""Polling the cluster: short, growing intervals up to a deadline, and never a blanket sleep."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from datera_volume.connection.errors import NotReadyInTime

T = TypeVar("T")


FIRST = 0.02
LONGEST = 2.0
GROWTH = 1.5


def growing_intervals(first: float = FIRST, longest: float = LONGEST) -> Iterator[float]:
    """Yield the seconds between one poll and the next: short at first, growing to ``longest``."""
    interval = first
    while True:
        yield interval
        interval = min(interval * GROWTH, longest)


@dataclass(frozen=True)
class Poller:
    """Polls until a condition holds.

    :param sleep: sleeps that many seconds.
    :param clock: a monotonic clock, in seconds.
    """

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def until(
        self,
        look: Callable[[], T],
        ready: Callable[[T], bool],
        *,
        seconds: float,
        what: str,
        forgive: tuple[type[Exception], ...] = (),
    ) -> T:
        """Poll until it is ready: immediately at first, and for the last time at the deadline.

        :param what: what is waited for, for the error message.
        :param forgive: errors of a poll that are ignored, except at the deadline.
        :raises NotReadyInTime: it was not ready at the deadline.
        """
        deadline = self.clock() + seconds
        intervals = growing_intervals()
        while True:
            last_look = self.clock() >= deadline
            try:
                seen = look()
                if ready(seen):
                    return seen
            except forgive:
                if last_look:
                    raise
            if last_look:
                raise NotReadyInTime(f"Timed out after {seconds:g} s waiting for {what}")
            self.sleep(max(0.0, min(next(intervals), deadline - self.clock())))
