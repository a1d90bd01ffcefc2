# SPDX-License-Identifier: Apache-2.0
"""Which call of a driver a line of the log belongs to, and what that call costs.

The API takes no such mark from a client, so it stands in this side's logs alone; the cluster's own
number of a request (``api_req_id``) stands in its answer, which is logged beside it.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

LENGTH = 12


@dataclass
class Trace:
    """One call of a driver.

    :param id: what its lines in the log have in common.
    :param requests: how many requests it has sent; repeated ones, and those of a login, count.
    :param seconds: how long it has waited for their answers.
    """

    id: str
    requests: int = 0
    seconds: float = 0.0


_current: ContextVar[Trace | None] = ContextVar("datera_call", default=None)


def current() -> Trace | None:
    """Return the call that this thread is in, if it is in one."""
    return _current.get()


def mark() -> str:
    """Count a request that is about to be sent, and return what its lines in the log begin with."""
    trace = _current.get()
    if trace is None:
        return _new_id()
    trace.requests += 1
    return f"{trace.id}.{trace.requests}"


def spent(seconds: float) -> None:
    """Add the time that a request took to the call that sent it."""
    trace = _current.get()
    if trace is not None:
        trace.seconds += seconds


@contextmanager
def call(
    what: str, log: Any, *, level: int | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Trace]:
    """Make the block one call of a driver: a part of the one around it, where there is one.

    :param what: what is done, to which object; the line at the end begins with it.
    :param log: gets one line at the end: how it ended, how long it took, how many requests were
        sent to the cluster, and how much of that time their answers took.
    :param level: that line's level; None for no line.
    """
    around = _current.get()
    trace = around or Trace(_new_id())
    token = None if around else _current.set(trace)
    requests, seconds, started = trace.requests, trace.seconds, clock()
    outcome = "failed"
    try:
        yield trace
        outcome = "done"
    finally:
        if token is not None:
            _current.reset(token)
        if level is not None:
            log.log(
                level,
                "[%s] %s: %s after %.3f s, %d requests to the cluster took %.3f s",
                trace.id,
                what,
                outcome,
                clock() - started,
                trace.requests - requests,
                trace.seconds - seconds,
            )


class _Marking(logging.LoggerAdapter):  # type: ignore[type-arg]
    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        trace = _current.get()
        return (msg if trace is None else f"[{trace.id}] {msg}"), kwargs


def logger(name: str) -> Any:
    """Return a logger whose lines begin with the id of the call that they belong to."""
    return _Marking(logging.getLogger(name), {})


def _new_id() -> str:
    return uuid.uuid4().hex[:LENGTH]
