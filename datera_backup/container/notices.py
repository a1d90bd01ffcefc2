# SPDX-License-Identifier: Apache-2.0
"""Warnings of threads that may not log, kept until they can be logged.

Most of this package runs in threads of the operating system, and these must not log: under eventlet
the locks of logging are green ones.
"""

from __future__ import annotations

from collections import deque

_MOST = 1000

_waiting: deque[str] = deque(maxlen=_MOST)


def tell(message: str) -> None:
    """Leave a warning for the next caller of :func:`told`; from any thread."""
    _waiting.append(message)


def told() -> list[str]:
    """Return what was left here since the last call, the oldest first, and forget it."""
    messages = []
    while _waiting:
        messages.append(_waiting.popleft())
    return messages
