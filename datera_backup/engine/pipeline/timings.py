# SPDX-License-Identifier: Apache-2.0
"""How long a job's threads spend in each stage, and what they fetch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from datera_backup.engine.pipeline.threads import unpatched_threading

T = TypeVar("T")

READING = "reading"
PROCESSING = "processing"
WRITING = "writing"


class Timings:
    """Added to by all threads of a job, once for each batch of about a megabyte.

    :ivar fetched: bytes of the volume whose data was fetched.
    :ivar stored: bytes that moved between this process and the containers, up to now.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.fetched = 0
        self.stored: Callable[[], int] = lambda: 0
        self._clock = clock
        self._lock = unpatched_threading().Lock()
        self._seconds = dict.fromkeys((READING, PROCESSING, WRITING), 0.0)

    @property
    def seconds(self) -> dict[str, float]:
        """By stage, all threads together, up to now."""
        with self._lock:
            return dict(self._seconds)

    def timed(self, stage: str, call: Callable[[], T], fetched: int = 0) -> T:
        """Make a call, and add the time that it took.

        :param fetched: bytes that it fetches.
        """
        began = self._clock()
        try:
            return call()
        finally:
            took = self._clock() - began
            with self._lock:
                self._seconds[stage] += took
                self.fetched += fetched
