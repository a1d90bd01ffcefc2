# SPDX-License-Identifier: Apache-2.0
"""Waiting for the cluster: short, growing intervals up to a deadline, and never a blanket sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from datera_volume.connection.errors import NotReadyInTime

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How to wait; all in seconds.

    :param sleep: waits that many seconds.
    :param clock: seconds that only grow.
    """

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    first: float = 0.02
    growth: float = 1.5
    longest: float = 2.0

    def until(
        self, look: Callable[[], T], ready: Callable[[T], bool], *, seconds: float, what: str
    ) -> T:
        """Look until it is ready, at once for the first time and at the deadline for the last.

        :param what: what is waited for, as the error says it.
        :raises NotReadyInTime: the last look, at the deadline, was still not ready.
        """
        deadline = self.clock() + seconds
        interval = self.first
        while True:
            last_look = self.clock() >= deadline
            seen = look()
            if ready(seen):
                return seen
            if last_look:
                raise NotReadyInTime(f"Waited {seconds:g} s for {what}, in vain")
            self.sleep(max(0.0, min(interval, deadline - self.clock())))
            interval = min(interval * self.growth, self.longest)
