# SPDX-License-Identifier: Apache-2.0
"""Not going faster than somebody allows."""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_SECONDS = 0.25
"""What was not used of the allowance may be caught up with, as far as this much of it."""


class TokenBucket:
    """Allows so many bytes a second; used by one thread.

    :param rate: bytes a second.
    :param clock: seconds, never going back.
    :param sleep: waits that many seconds, or less if there is nothing left to wait for.
    :raises ValueError: the rate is not positive.
    """

    def __init__(
        self,
        rate: float,
        *,
        sleep: Callable[[float], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"a rate of {rate} bytes a second never ends")
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        # The bucket as one number: when it will be full again of what was taken.
        self._paid_until = clock()

    def take(self, count: int) -> None:
        """Take note of bytes that were moved, and wait until that was allowed."""
        now = self._clock()
        self._paid_until = max(self._paid_until, now - BURST_SECONDS) + count / self._rate
        if self._paid_until > now:
            self._sleep(self._paid_until - now)
