# SPDX-License-Identifier: Apache-2.0
"""iSCSI sessions: which initiator is logged in to which target."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """One initiator's login to one target through one portal."""

    id: str
    initiator: str
    iqn: str
    portal: str
    lun: int
    volume_path: str


class Sessions:
    """The existing sessions, each with a callable that ends it from the target's side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Session, Callable[[], None]]] = {}
        self._written: set[str] = set()

    def add(self, session: Session, end: Callable[[], None]) -> None:
        """Add a session; ``end`` is called when the target drops it."""
        with self._lock:
            self._open[session.id] = (session, end)
            self._written.add(session.iqn)

    def remove(self, session_id: str) -> None:
        """Remove a session that its initiator ended."""
        with self._lock:
            self._open.pop(session_id, None)

    def of(self, iqn: str) -> list[Session]:
        """Return the sessions of one target."""
        return [session for session in self if session.iqn == iqn]

    def take_written(self) -> set[str]:
        """Return the targets that hosts may have written to since this was called last."""
        with self._lock:
            still_open = {session.iqn for session, _ in self._open.values()}
            written, self._written = self._written, still_open
        return written

    def drop(self, condition: Callable[[Session], bool]) -> int:
        """End every session that matches the condition; return how many."""
        with self._lock:
            chosen = [entry for entry in self._open.values() if condition(entry[0])]
            for session, _ in chosen:
                del self._open[session.id]
        for _, end in chosen:
            end()
        return len(chosen)

    def __iter__(self) -> Iterator[Session]:
        with self._lock:
            return iter([session for session, _ in self._open.values()])

    def __len__(self) -> int:
        return len(self._open)
