# SPDX-License-Identifier: Apache-2.0
"""What is kept of what was read last, by number; many threads may use it at once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from datera_backup.engine.pipeline.threads import unpatched_threading

T = TypeVar("T")


class Kept(Generic[T]):
    """A bounded number of things, those that were used last.

    :param most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = unpatched_threading().Lock()
        self._things: OrderedDict[int, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._things)

    def get(self, number: int) -> T | None:
        """Return what is kept by that number, or None."""
        with self._lock:
            if number in self._things:
                self._things.move_to_end(number)
            return self._things.get(number)

    def put(self, number: int, thing: T) -> None:
        """Keep it, instead of what was used longest ago if there is too much."""
        with self._lock:
            self._things[number] = thing
            self._things.move_to_end(number)
            while len(self._things) > self._most:
                self._things.popitem(last=False)
