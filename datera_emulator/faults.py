# SPDX-License-Identifier: Apache-2.0
"""Faults on purpose: what a plan says happens to the k-th request of a kind.

Each request of the REST API passes :meth:`FaultPlan.next` once, before anything else looks at it.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

from datera_emulator.documents import Json


@dataclass(frozen=True)
class Answer:
    """Answer this instead. A ``str`` or ``bytes`` body goes out as it is, all else as JSON."""

    status: int
    body: Json = None
    content_type: str = "application/json"


@dataclass(frozen=True)
class Drop:
    """Close the connection without an answer."""


@dataclass(frozen=True)
class Hang:
    """Do not answer until ``release`` is set, then go on as if nothing had been."""

    release: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class ForgetToken:
    """Let the request's key expire just before the request is looked at."""


Outcome = Answer | Drop | Hang | ForgetToken


@dataclass
class Fault:
    """One entry of a plan. ``hits`` counts how often it struck.

    :param method: the HTTP method; None for any.
    :param path: a regular expression for the whole path, without the API's version.
    :param nth: strikes first at the nth matching request (from 1).
    :param times: strikes this many requests in a row; None for ever.
    :param applied: whether the request takes effect before the outcome.
    """

    outcome: Outcome
    method: str | None = None
    path: str = ".*"
    nth: int = 1
    times: int | None = 1
    applied: bool = False
    matched: int = 0
    hits: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Count a request and return whether this fault happens to it."""
        if self.method not in (None, method) or re.fullmatch(self.path, path) is None:
            return False
        self.matched += 1
        due = self.matched >= self.nth
        spent = self.times is not None and self.hits >= self.times
        if due and not spent:
            self.hits += 1
            return True
        return False


class FaultPlan:
    """The faults in force, tried in the order in which they were added."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Put a fault into force and return it."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def answer(
        self,
        status: int,
        body: Json = None,
        *,
        method: str | None = None,
        path: str = ".*",
        nth: int = 1,
        times: int | None = 1,
        applied: bool = False,
        content_type: str = "application/json",
    ) -> Fault:
        """Answer with a status and a body of the test's choice."""
        outcome = Answer(status, body, content_type)
        return self.add(Fault(outcome, method, path, nth, times, applied))

    def busy(self, times: int | None = 1, *, method: str | None = None, path: str = ".*") -> Fault:
        """Answer 503, as a cluster does that has no time."""
        return self.answer(503, {"message": "busy"}, method=method, path=path, times=times)

    def html(
        self,
        status: int = 502,
        *,
        method: str | None = None,
        path: str = ".*",
        applied: bool = False,
    ) -> Fault:
        """Answer a page of HTML, as a proxy in between does."""
        page = "<html><body><h1>Bad Gateway</h1></body></html>"
        return self.answer(
            status, page, method=method, path=path, applied=applied, content_type="text/html"
        )

    def empty(self, status: int = 200, *, method: str | None = None, path: str = ".*") -> Fault:
        """Let the request take effect and answer without a body."""
        return self.answer(status, b"", method=method, path=path, applied=True)

    def drop(
        self,
        *,
        method: str | None = None,
        path: str = ".*",
        nth: int = 1,
        times: int | None = 1,
        applied: bool = False,
    ) -> Fault:
        """Close the connection, before or (``applied``) after the request took effect."""
        return self.add(Fault(Drop(), method, path, nth, times, applied))

    def hang(self, *, method: str | None = None, path: str = ".*", applied: bool = False) -> Hang:
        """Hold one request until the returned outcome's ``release`` is set."""
        outcome = Hang()
        self.add(Fault(outcome, method, path, applied=applied))
        return outcome

    def expire_token(self, *, method: str | None = None, path: str = ".*", nth: int = 1) -> Fault:
        """Let the key of one request expire as it arrives."""
        return self.add(Fault(ForgetToken(), method, path, nth))

    def next(self, method: str, path: str) -> Fault | None:
        """Return the fault that happens to this request, if one does."""
        with self._lock:
            for fault in self._faults:
                if fault.strikes(method, path):
                    return fault
        return None

    def clear(self) -> None:
        """Forget all faults and release what hangs."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            if isinstance(fault.outcome, Hang):
                fault.outcome.release.set()
