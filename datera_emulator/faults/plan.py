# SPDX-License-Identifier: Apache-2.0
"""Fault injection: what a plan does to the k-th request of a kind.

Each request of the REST API passes :meth:`FaultPlan.next` once, before anything else looks at it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from datera_emulator.documents import Document, Json
from datera_emulator.faults.outcomes import (
    Answer,
    Drop,
    ForgetToken,
    Hang,
    Outcome,
    Wish,
    outcome_of,
)
from datera_emulator.faults.random_faults import RandomFaults, rates_of_all

__all__ = ["Answer", "Drop", "Fault", "FaultPlan", "ForgetToken", "Hang", "LoginFaults", "Outcome"]


@dataclass
class Fault:
    """One entry of a plan. ``hits`` counts how often it occurred.

    :param method: the HTTP method; None for any.
    :param path: a regular expression for the whole path, without the API's version.
    :param nth: begins with the nth matching request (from 1).
    :param times: affects this many requests in a row; None: all.
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
        """Count a request and return whether this fault affects it."""
        if self.method not in (None, method) or re.fullmatch(self.path, path) is None:
            return False
        self.matched += 1
        due = self.matched >= self.nth
        spent = self.times is not None and self.hits >= self.times
        if due and not spent:
            self.hits += 1
            return True
        return False

    def describe(self) -> Document:
        """Return the fault as JSON."""
        outcome = type(self.outcome).__name__.lower()
        if isinstance(self.outcome, Answer):
            outcome = f"answer {self.outcome.status} {self.outcome.content_type}"
        return {
            "outcome": outcome,
            "method": self.method,
            "path": self.path,
            "nth": self.nth,
            "times": self.times,
            "applied": self.applied,
            "hits": self.hits,
        }


@dataclass
class LoginFaults:
    """Faults of targets: they refuse logins after a change of their ACL."""

    after_acl_change: int = 0


class FaultPlan:
    """The faults in force, tried in the order in which they were added."""

    def __init__(self) -> None:
        self.logins = LoginFaults()
        self._faults: list[Fault] = []
        self._random: list[RandomFaults] = []
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
        """Answer 503, like a busy cluster."""
        return self.kind("busy", method=method, path=path, times=times)

    def html(
        self,
        status: int = 502,
        *,
        method: str | None = None,
        path: str = ".*",
        applied: bool = False,
    ) -> Fault:
        """Answer an HTML page, like a proxy in between."""
        outcome, _ = outcome_of("html", Wish(status))
        return self.add(Fault(outcome, method, path, applied=applied))

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

    def slow(
        self,
        seconds: float = 1.0,
        *,
        method: str | None = None,
        path: str = ".*",
        nth: int = 1,
        times: int | None = 1,
    ) -> Fault:
        """Answer normally after so many seconds."""
        return self.add(Fault(Hang(seconds=seconds), method, path, nth, times))

    def wrong_body(
        self,
        body: Json = None,
        *,
        method: str | None = None,
        path: str = ".*",
        nth: int = 1,
        times: int | None = 1,
    ) -> Fault:
        """Let the request take effect, and answer 200 with an unexpected body: a list."""
        outcome, applied = outcome_of("wrong_body", Wish(body=body))
        return self.add(Fault(outcome, method, path, nth, times, applied))

    def kind(
        self,
        kind: str,
        wish: Wish | None = None,
        *,
        method: str | None = None,
        path: str = ".*",
        nth: int = 1,
        times: int | None = 1,
        applied: bool | None = None,
    ) -> Fault:
        """Put a fault into force by its name, see :data:`.outcomes.KINDS`.

        :raises ValueError: there is no such kind, or ``path`` is no regular expression.
        """
        try:
            re.compile(path)
        except re.error as exc:
            raise ValueError(f"path {path!r} is not a regular expression: {exc}") from exc
        outcome, usually = outcome_of(kind, wish or Wish())
        return self.add(
            Fault(outcome, method, path, nth, times, usually if applied is None else applied)
        )

    def random(
        self,
        rates: float | Mapping[str, float],
        *,
        seed: int = 0,
        method: str | None = None,
        path: str = ".*",
        slow_seconds: float = 0.2,
        hang_seconds: float = 2.0,
    ) -> RandomFaults:
        """Make a random share of all requests fail, until the returned object's ``end()``.

        :param rates: by kind, see :class:`.RandomFaults`; a number is the rate of *each* kind.
        :raises ValueError: the rates are invalid.
        """
        by_kind = rates_of_all(rates) if isinstance(rates, (int, float)) else rates
        faults = RandomFaults(
            by_kind,
            seed=seed,
            method=method,
            path=path,
            slow_seconds=slow_seconds,
            hang_seconds=hang_seconds,
        )
        with self._lock:
            self._random.append(faults)
        return faults

    def refuse_logins(self, after_acl_change: int) -> None:
        """Let targets refuse so many logins after each change of their ACL; 0 refuses none."""
        self.logins.after_acl_change = after_acl_change

    def next(self, method: str, path: str) -> Fault | None:
        """Return the fault that affects this request, if any."""
        with self._lock:
            for fault in self._faults:
                if fault.strikes(method, path):
                    return fault
            for source in self._random:
                drawn = source.next(method, path)
                if drawn is not None:
                    return Fault(drawn[0], method, applied=drawn[1], hits=1)
        return None

    def describe(self) -> Document:
        """Return the faults in force, as JSON."""
        with self._lock:
            planned = [fault.describe() for fault in self._faults]
            drawn = [
                {"rates": one.rates, "seed": one.seed, "hits": dict(one.hits)}
                for one in self._random
            ]
        return {
            "faults": planned,
            "random": drawn,
            "refused_logins_after_acl_change": self.logins.after_acl_change,
        }

    def clear(self) -> None:
        """Remove all faults and release hanging requests."""
        with self._lock:
            faults, self._faults = self._faults, []
            sources, self._random = self._random, []
        self.refuse_logins(0)
        for source in sources:
            source.end()
        for fault in faults:
            if isinstance(fault.outcome, Hang):
                fault.outcome.release.set()
