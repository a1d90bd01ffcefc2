# SPDX-License-Identifier: Apache-2.0
"""Writes that are under way while their bytes' successors are made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from datera_backup.container.writes import nothing
from datera_backup.engine.pipeline.requests import Answer, Requests
from datera_backup.engine.pipeline.timings import WRITING


class Writes:
    """At most so many writes that have not ended yet; used by one thread.

    In whatever order they end, they are told of as ended in the order in which they were put.
    """

    def __init__(self, requests: Requests, most: int) -> None:
        """Begin.

        :param most: writes at once; 0: each is made by the thread that puts it.
        """
        self._requests = requests
        self._most = most
        self._under_way: deque[tuple[Answer[None], Callable[[], None]]] = deque()

    def put(self, write: Callable[[], None], then: Callable[[], None] = nothing) -> None:
        """Begin a write, as soon as there is room for it.

        :param write: runs in another thread, at the same time as others.
        :param then: called when this one, and all before it, have ended: in the caller's thread, by
            :meth:`put`, :meth:`settle` or :meth:`wait`.
        :raises Stopped: the requests were stopped, because a write failed, for one.
        """
        write = partial(self._requests.timings.timed, WRITING, write)
        if not self._most:
            write()
            then()
            return
        self.settle()
        while len(self._under_way) >= self._most:
            self._end_first()
        self._under_way.append((self._requests.ask(write, urgent=True), then))

    def settle(self) -> None:
        """Tell of those that have ended."""
        while self._under_way and self._under_way[0][0].ended:
            self._end_first()

    def wait(self) -> None:
        """Wait for all writes to end, and tell of them.

        :raises Stopped: the requests were stopped.
        """
        while self._under_way:
            self._end_first()

    def _end_first(self) -> None:
        answer, then = self._under_way.popleft()
        self._requests.wait_for(answer)
        then()
