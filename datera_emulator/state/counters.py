# SPDX-License-Identifier: Apache-2.0
"""Counts of requests to the emulator, for tests that limit them."""

from __future__ import annotations

import threading
from collections import Counter


class Counters:
    """Requests by method and path template, and TCP connections accepted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._drivers: Counter[str] = Counter()
        self._connections = 0

    def count_request(self, method: str, template: str, driver: str = "") -> None:
        """Count one request; an unknown path has the template ``?``.

        :param driver: the client's ``Datera-Driver`` header.
        """
        with self._lock:
            self._requests[method, template] += 1
            self._drivers[driver] += 1

    def count_connection(self) -> None:
        """Count one TCP connection."""
        with self._lock:
            self._connections += 1

    @property
    def connections(self) -> int:
        """TCP connections accepted on the HTTP and the HTTPS port."""
        return self._connections

    @property
    def requests(self) -> Counter[tuple[str, str]]:
        """A copy of the counts, by (method, path template)."""
        with self._lock:
            return Counter(self._requests)

    @property
    def drivers(self) -> Counter[str]:
        """A copy of the counts, by the client's ``Datera-Driver`` header."""
        with self._lock:
            return Counter(self._drivers)

    def of(self, method: str, template: str) -> int:
        """Return how many requests of one kind there were."""
        return self.requests[method, template]

    def reset(self) -> None:
        """Start from zero."""
        with self._lock:
            self._requests.clear()
            self._drivers.clear()
            self._connections = 0
