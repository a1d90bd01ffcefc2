# SPDX-License-Identifier: Apache-2.0
"""Who is logged in to which target."""

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
    """The sessions there are, each with what ends it from the target's side."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Session, Callable[[], None]]] = {}

    def add(self, session: Session, end: Callable[[], None]) -> None:
        """Take a session in; ``end`` is called when the target drops it."""
        with self._lock:
            self._open[session.id] = (session, end)

    def remove(self, session_id: str) -> None:
        """Forget a session that its initiator ended."""
        with self._lock:
            self._open.pop(session_id, None)

    def of(self, iqn: str) -> list[Session]:
        """Return the sessions of one target."""
        return [session for session in self if session.iqn == iqn]

    def drop(self, condition: Callable[[Session], bool]) -> int:
        """End every session that the condition holds for; return how many."""
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
