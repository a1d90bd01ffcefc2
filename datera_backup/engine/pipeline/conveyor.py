# SPDX-License-Identifier: Apache-2.0
"""A queue from one thread to many workers and on to one consumer, in the original order."""

from __future__ import annotations

import time
from collections import deque
from typing import Generic, TypeVar

from datera_backup.engine.pipeline.threads import unpatched_threading

T = TypeVar("T")


class Stopped(Exception):
    """The conveyor was stopped: threads that wait on it end."""


class Conveyor(Generic[T]):
    """At most ``depth`` items are between :meth:`admit` and :meth:`finished`.

    One monitor for all, because an item stands for about a megabyte of work: what is saved by
    finer locks is not measurable, what is gained is that its states can be enumerated.
    """

    def __init__(self, depth: int) -> None:
        threading = unpatched_threading()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._ready = threading.Condition(self._lock)
        self._halt = threading.Condition(self._lock)
        self._depth = depth
        self._under_way = 0
        self._placed = 0
        self._handed_on = 0
        self._got = 0
        self._waiting: deque[tuple[int, T]] = deque()
        self._done: dict[int, T] = {}
        self._closed = False
        self._stopped = False

    def admit(self) -> None:
        """Wait until one more item may come in.

        :raises Stopped: the conveyor was stopped.
        """
        with self._lock:
            while self._under_way >= self._depth and not self._stopped:
                self._room.wait()
            self._check()
            self._under_way += 1

    def place(self) -> int:
        """Return the number, in the order, of an item that was admitted and is about to come.

        :raises Stopped: the conveyor was stopped.
        """
        with self._lock:
            self._check()
            self._placed += 1
            return self._placed - 1

    def hand_on(self, number: int, item: T, *, needs_work: bool) -> None:
        """Bring in an item that has its place; in any order, from any thread."""
        with self._lock:
            self._handed_on += 1
            if needs_work:
                self._waiting.append((number, item))
                self._work.notify()
            else:
                self._done[number] = item
                if number == self._got:
                    self._ready.notify()
            if self._is_all_handed_on:
                self._work.notify_all()

    def close(self) -> None:
        """Say that no more places are asked for."""
        with self._lock:
            self._closed = True
            self._work.notify_all()
            self._ready.notify_all()

    def take(self) -> tuple[int, T] | None:
        """Wait for an item to work on; None when no more come.

        :raises Stopped: the conveyor was stopped.
        """
        with self._lock:
            while not (self._waiting or self._is_all_handed_on or self._stopped):
                self._work.wait()
            self._check()
            return self._waiting.popleft() if self._waiting else None

    def done(self, number: int, item: T) -> None:
        """Hand on an item that was worked on."""
        with self._lock:
            self._done[number] = item
            if number == self._got:
                self._ready.notify()

    def next(self) -> T | None:
        """Wait for the next item in the order in which they came in; None after the last.

        :raises Stopped: the conveyor was stopped.
        """
        with self._lock:
            while self._got not in self._done and not self._stopped:
                if self._closed and self._got == self._placed:
                    return None
                self._ready.wait()
            self._check()
            item = self._done.pop(self._got)
            self._got += 1
            return item

    def finished(self) -> None:
        """Say that an item is dealt with, so that another may come in."""
        with self._lock:
            self._under_way -= 1
            self._room.notify()

    def pause(self, seconds: float) -> None:
        """Wait for so long, but not once the conveyor was stopped."""
        deadline = time.monotonic() + seconds
        with self._lock:
            while not self._stopped and (left := deadline - time.monotonic()) > 0:
                self._halt.wait(left)

    def stop(self) -> None:
        """Wake everybody up with :class:`Stopped`."""
        with self._lock:
            self._stopped = True
            for condition in (self._room, self._work, self._ready, self._halt):
                condition.notify_all()

    @property
    def _is_all_handed_on(self) -> bool:
        return self._closed and self._handed_on == self._placed

    def _check(self) -> None:
        if self._stopped:
            raise Stopped
