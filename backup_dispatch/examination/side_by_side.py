# SPDX-License-Identifier: Apache-2.0
"""Check or examine all backends in parallel."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from backup_dispatch.errors import reason_of
from backup_dispatch.examination.finding import Finding, State
from backup_dispatch.masking import masked

Check = Callable[[], object]
Look = Callable[[], Iterable[Finding]]


@dataclass(frozen=True)
class Answer:
    """What a backend answered.

    :ivar reason: why it is down; empty if it is up.
    :ivar seconds: how long that took.
    """

    up: bool
    reason: str
    seconds: float


def answers(
    checks: Mapping[str, Check],
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Answer]:
    """Run the checks in parallel; a backend that does not answer in time is down.

    :param checks: by backend; each raises whatever is wrong.
    :param deadline: seconds for each.
    """
    came: queue.Queue[tuple[str, Answer]] = queue.Queue()
    started = clock()

    def run(name: str, check: Check) -> None:
        try:
            check()
        except Exception as error:
            came.put((name, Answer(False, masked(reason_of(error)), clock() - started)))
        else:
            came.put((name, Answer(True, "", clock() - started)))

    for name, check in checks.items():
        # A hanging check must not keep the command from exiting.
        threading.Thread(target=run, args=(name, check), daemon=True).start()
    silent = Answer(False, f"it has not answered within {deadline:g} seconds", deadline)
    found = dict.fromkeys(checks, silent)
    for _ in checks:
        try:
            name, answer = came.get(timeout=max(0.0, started + deadline - clock()))
        except queue.Empty:
            break
        found[name] = answer
    return found


@dataclass(frozen=True)
class Examined:
    """The result of examining one thing.

    :ivar seconds: how long that took.
    """

    findings: tuple[Finding, ...]
    seconds: float

    @property
    def state(self) -> State:
        """The worst of all."""
        return max((one.state for one in self.findings), default=State.UP)

    @property
    def looked_at(self) -> list[str]:
        """What was checked, up to where it ended."""
        return [one.subject for one in self.findings if one.subject]

    @property
    def lines(self) -> list[str]:
        """The lines for the operator, without secrets, the worst first."""
        told = sorted((one for one in self.findings if one.text), key=lambda one: -one.state)
        return [masked(one.text) for one in told]

    def and_then(self, look: Look, clock: Callable[[], float] = time.monotonic) -> Examined:
        """This with the result of a further check, run here and now."""
        started = clock()
        found = list(self.findings)
        try:
            # One by one: what was reported before a failure counts.
            for finding in look():
                found.append(finding)
        except Exception as error:
            found.append(Finding("", State.DOWN, masked(reason_of(error))))
        return Examined(tuple(found), self.seconds + clock() - started)


def examined(
    looks: Mapping[str, Look],
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Examined]:
    """Examine in parallel; what was found before a check hung or failed is reported as well.

    :param looks: by backend.
    :param deadline: seconds for each.
    """
    found: dict[str, list[Finding]] = {name: [] for name in looks}

    def look(name: str) -> None:
        for finding in looks[name]():
            found[name].append(finding)

    ended = answers({name: partial(look, name) for name in looks}, deadline, clock)
    return {
        name: Examined((*found[name], *_broken_off(answer)), answer.seconds)
        for name, answer in ended.items()
    }


def _broken_off(answer: Answer) -> tuple[Finding, ...]:
    return () if answer.up else (Finding("", State.DOWN, answer.reason),)
