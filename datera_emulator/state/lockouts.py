# SPDX-License-Identifier: Apache-2.0
"""Users locked out for a while after too many wrong passwords."""

from __future__ import annotations

from collections.abc import Callable

_NANO = 1_000_000_000
_Who = tuple[str, str]  # user, and the remote server that vouches for it


class Lockouts:
    """Counts failures in a row. Callers take turns: the cluster's lock is enough.

    :param failures: how many in a row lock a user out; 0: none do.
    :param seconds: for how long, from the last failure that counted.
    """

    def __init__(self, clock_ns: Callable[[], int], failures: int, seconds: float) -> None:
        self._clock_ns = clock_ns
        self._failures = failures
        self._lasts_ns = int(seconds * _NANO)
        self._failed: dict[_Who, tuple[int, int]] = {}

    def locked(self, user: str, server: str) -> bool:
        """Return whether even the right password is refused now."""
        count, last = self._failed.get((user, server), (0, 0))
        if not self._failures or count < self._failures:
            return False
        if self._clock_ns() - last < self._lasts_ns:
            return True
        self.succeeded(user, server)
        return False

    def failed(self, user: str, server: str) -> None:
        """Count a failure; while a user is locked out they do not count."""
        if not self.locked(user, server):
            count, _ = self._failed.get((user, server), (0, 0))
            self._failed[user, server] = (count + 1, self._clock_ns())

    def succeeded(self, user: str, server: str) -> None:
        """Forget the failures."""
        self._failed.pop((user, server), None)

    def clear(self) -> None:
        """Forget all failures of all users."""
        self._failed.clear()
