# SPDX-License-Identifier: Apache-2.0
"""Interrupting a measurement without leaving anything that it started running."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def unless_interrupted(measure: Callable[[], int]) -> int:
    """Return the exit status of the measurement, or that of an interrupted process.

    The first terminating signal raises ``KeyboardInterrupt``, and further ones
    are ignored; signals that were ignored before stay so.
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
    # Once: a second signal would interrupt the clean-up.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
