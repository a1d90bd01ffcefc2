# SPDX-License-Identifier: Apache-2.0
"""Ending a measurement early, so that nothing that it has started is left running."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def unless_interrupted(measure: Callable[[], int]) -> int:
    """Return the exit status of what measures, or that of one that was interrupted.

    Of the signals that end a process the first raises ``KeyboardInterrupt`` in it, and those after
    it do nothing; signals that were ignored before stay so.
    """
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        return measure()
    except KeyboardInterrupt:
        print("bench: interrupted; nothing that it started is left running", file=sys.stderr)
        return INTERRUPTED


def _end(*_: object) -> None:
    # Once: a second signal would keep it from stopping what it has started.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
