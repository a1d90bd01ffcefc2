# SPDX-License-Identifier: Apache-2.0
"""Rate limiting."""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_SECONDS = 0.25
"""The unused part of the rate that may be caught up with."""


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
            raise ValueError(f"a rate of {rate} bytes per second is not positive")
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        # The bucket as one number: when it will be full again of what was taken.
        self._paid_until = clock()

    def take(self, count: int) -> None:
        """Count bytes that were moved, and wait until the rate allows them."""
        now = self._clock()
        self._paid_until = max(self._paid_until, now - BURST_SECONDS) + count / self._rate
        if self._paid_until > now:
            self._sleep(self._paid_until - now)
