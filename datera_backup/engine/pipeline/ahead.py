# SPDX-License-Identifier: Apache-2.0
"""Reading ahead what a plan is made from, so that the plan does not wait for each of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from datera_backup.engine.pipeline.requests import Answer, Requests

K = TypeVar("K")
V = TypeVar("V")

_MOST_KEYS = 1024
"""Keys that are looked at ahead, those included for which nothing is read."""


def read_ahead(
    requests: Requests,
    keys: Iterable[K],
    call_for: Callable[[K], Callable[[], V] | None],
    most: int,
) -> Iterator[tuple[K, V | None]]:
    """Yield each key, in their order, with what is read for it.

    :param call_for: returns what reads it; None where there is nothing to read, which gives None.
    :param most: calls that are made ahead.
    :raises Stopped: the requests were stopped.
    """
    waiting: deque[tuple[K, Answer[V] | None]] = deque()
    asked = 0
    for key in keys:
        call = call_for(key)
        waiting.append((key, None if call is None else requests.ask(call, urgent=True)))
        asked += call is not None
        while asked > most or len(waiting) > _MOST_KEYS:
            first, answer = waiting.popleft()
            asked -= answer is not None
            yield first, None if answer is None else requests.wait_for(answer)
    for last, answer in waiting:
        yield last, None if answer is None else requests.wait_for(answer)
