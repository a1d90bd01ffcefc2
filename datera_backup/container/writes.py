# SPDX-License-Identifier: Apache-2.0
"""Who makes the writes to a container's log: by default whoever has something to write, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


def nothing() -> None:
    """Do nothing."""


class Writes(Protocol):
    """Writes to the device, several of which may be under way; none is to bytes of another."""

    def put(self, write: Callable[[], None], then: Callable[[], None] = nothing) -> None:
        """Make a write, now or soon.

        :param then: called once this one, and all before it, have been made: in the thread that
            puts or waits, when it does so.
        """

    def settle(self) -> None:
        """Tell of those that have been made."""

    def wait(self) -> None:
        """Return when all writes have been made."""


class AtOnce:
    """Makes each write at once."""

    def put(self, write: Callable[[], None], then: Callable[[], None] = nothing) -> None:
        """Make a write."""
        write()
        then()

    def settle(self) -> None:
        """Do nothing: there is nothing to wait for."""

    wait = settle
