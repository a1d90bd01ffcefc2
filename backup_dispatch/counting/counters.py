# SPDX-License-Identifier: Apache-2.0
"""What this process has done since it was started: operations, refusals, bytes, seconds, retries.

Operations are counted when they end, and what they move while they run. The drivers' calls may be
in native threads below green ones, so the lock is a native one, held for a few instructions.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from backup_dispatch.counting.figures import Figures

OK = "ok"
FAILED = "failed"
STALLED = "stalled"

OUTCOMES = (OK, FAILED, STALLED)

Work = tuple[str, str]
"""An operation's kind (``backup``, ``restore``, ``delete``) and its backend's name."""


@dataclass
class Running:
    """One operation that is under way.

    :ivar seen: what the dispatcher itself sees it move; only its own thread adds to it.
    :ivar told: what its driver reports, where it does.
    """

    work: Work
    began: float
    seen: Counter[str] = field(default_factory=Counter)
    told: Callable[[], Figures] | None = None

    def saw(self, name: str, number: int) -> None:
        """Count what was seen to move."""
        self.seen[name] += number

    @property
    def figures(self) -> dict[str, float]:
        """All that is known of it so far: the driver knows better."""
        told = self.told() if self.told is not None else {}
        return {**self.seen, **told}


@dataclass(frozen=True)
class Counts:
    """A snapshot of all counts.

    :ivar running: operations under way.
    :ivar ended: operations by kind, backend and outcome.
    :ivar figures: what operations moved, by kind and backend, those under way included.
    :ivar seconds: how long operations that have ended took.
    :ivar refused: by kind, and by the error's name.
    :ivar checks: of backends, by backend and outcome.
    """

    running: Mapping[Work, int]
    ended: Mapping[tuple[str, str, str], int]
    figures: Mapping[Work, Figures]
    seconds: Mapping[Work, float]
    refused: Mapping[tuple[str, str], int]
    checks: Mapping[tuple[str, str], int]


class Counters:
    """The counts of one process.

    :param clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pid = os.getpid()
        self._lock = _native_threading().Lock()
        self._running: dict[int, Running] = {}
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._figures: dict[Work, Counter[str]] = {}
        self._seconds: Counter[Work] = Counter()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._checks: Counter[tuple[str, str]] = Counter()

    @property
    def is_this_ones(self) -> bool:
        """False after a fork: what the parent did is the parent's."""
        return self._pid == os.getpid()

    @contextmanager
    def operation(
        self, kind: str, backend: str, outcome_of: Callable[[BaseException], str]
    ) -> Iterator[Running]:
        """Count an operation of a backend.

        :param outcome_of: one of :data:`OUTCOMES` for what it raised.
        """
        one = Running((kind, backend), self._clock())
        with self._lock:
            self._running[id(one)] = one
        outcome = OK
        try:
            yield one
        except BaseException as error:
            outcome = outcome_of(error)
            raise
        finally:
            # What it moved is asked for before the lock is taken: a driver may take time to answer.
            moved = _known(one)
            with self._lock:
                del self._running[id(one)]
                self._ended[(*one.work, outcome)] += 1
                self._seconds[one.work] += self._clock() - one.began  # type: ignore[assignment]
                self._figures.setdefault(one.work, Counter()).update(moved)

    def refused(self, kind: str, reason: str) -> None:
        """Count an operation that was refused before its backend was called."""
        with self._lock:
            self._refused[kind, reason] += 1

    def checked(self, backend: str, outcome: str) -> None:
        """Count a check of a backend."""
        with self._lock:
            self._checks[backend, outcome] += 1

    def snapshot(self) -> Counts:
        """All counts as they are now."""
        with self._lock:
            under_way = list(self._running.values())
            figures = {work: Counter(moved) for work, moved in self._figures.items()}
            counts = Counts(
                Counter(one.work for one in under_way),
                Counter(self._ended),
                figures,
                Counter(self._seconds),
                Counter(self._refused),
                Counter(self._checks),
            )
        for one in under_way:
            figures.setdefault(one.work, Counter()).update(_known(one))
        return counts


def _known(one: Running) -> Counter[str]:
    try:
        return Counter(one.figures)
    except Exception:
        # Counting must not be what ends an operation; what was seen is right all the same.
        return Counter(one.seen)


def _native_threading() -> ModuleType:
    """The module ``threading`` as it is without eventlet."""
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        original: ModuleType = patcher.original("threading")
        return original
    return threading


_counters = Counters()


def counters() -> Counters:
    """Those of the calling process, also after a fork."""
    global _counters  # noqa: PLW0603 - this is the one state per process that there is
    if not _counters.is_this_ones:
        _counters = Counters()
    return _counters


def reset() -> Counters:
    """Begin again, as a new process does; returns the new ones."""
    global _counters  # noqa: PLW0603
    _counters = Counters()
    return _counters


def reason_name(error: Any) -> str:
    """An error's class in Prometheus' spelling: ``backend_down``."""
    name = type(error).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
