# SPDX-License-Identifier: Apache-2.0
"""Session keys that a login returns, and when they expire. They are lost when the process ends."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from datera_emulator.state.users import NOBODY, Caller

_NANO = 1_000_000_000


class Tokens:
    """The keys in use. ``clock_ns`` returns nanoseconds and may be any monotonic clock."""

    def __init__(self, clock_ns: Callable[[], int], lifetime: float, *, idle: bool) -> None:
        self._clock_ns = clock_ns
        self._lifetime_ns = int(lifetime * _NANO)
        self._idle = idle
        self._counted_from: dict[str, int] = {}
        self._holders: dict[str, Caller] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Return a new key."""
        key = secrets.token_hex(16)
        with self._lock:
            self._counted_from[key] = self._clock_ns()
        return key

    def give(self, key: str, holder: Caller) -> None:
        """Record the owner of a new key."""
        with self._lock:
            self._holders[key] = holder

    def use(self, key: str) -> bool:
        """Return whether the key is valid now, and count that as a use of it."""
        with self._lock:
            since = self._counted_from.get(key)
            now = self._clock_ns()
            if since is None:
                return False
            if now - since >= self._lifetime_ns:
                self._forget(key)
                return False
            if self._idle:
                self._counted_from[key] = now
            return True

    def holder(self, key: str) -> Caller:
        """Return the owner of a key; ``NOBODY`` if it is invalid."""
        with self._lock:
            return self._holders.get(key, NOBODY)

    def revoke(self, key: str) -> None:
        """Revoke a key."""
        with self._lock:
            self._forget(key)

    def revoke_of(self, user_id: str) -> None:
        """Revoke every key of one of the cluster's own users."""
        with self._lock:
            for key, holder in list(self._holders.items()):
                if holder.user_id == user_id and not holder.remote_server:
                    self._forget(key)

    def revoke_all(self) -> None:
        """Revoke every key, as a restart of the array does."""
        with self._lock:
            self._counted_from.clear()
            self._holders.clear()

    def __len__(self) -> int:
        return len(self._counted_from)

    def _forget(self, key: str) -> None:
        self._counted_from.pop(key, None)
        self._holders.pop(key, None)
