# SPDX-License-Identifier: Apache-2.0
"""Trace ids: which driver call a log line belongs to, and what that call costs.

The API accepts no trace id from a client, so it is in Cinder's logs only; the cluster's own request
id (``api_req_id``) is in its response, which is logged beside it.
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

    :param id: the common prefix of its log lines.
    :param requests: how many requests it has sent, retries and logins included.
    :param seconds: how long it has waited for their responses.
    :param retries: how many of its requests were repeated.
    """

    id: str
    requests: int = 0
    seconds: float = 0.0
    retries: int = 0


_current: ContextVar[Trace | None] = ContextVar("datera_call", default=None)


def current() -> Trace | None:
    """Return the driver call that this thread is in, if any."""
    return _current.get()


def mark() -> str:
    """Count a request that is about to be sent, and return the prefix of its log lines."""
    trace = _current.get()
    if trace is None:
        return _new_id()
    trace.requests += 1
    return f"{trace.id}.{trace.requests}"


def spent(seconds: float) -> None:
    """Add the duration of a request to the call that sent it."""
    trace = _current.get()
    if trace is not None:
        trace.seconds += seconds


def retried() -> None:
    """Count a request that is about to be repeated."""
    trace = _current.get()
    if trace is not None:
        trace.retries += 1


@contextmanager
def call(
    what: str, log: Any, *, level: int | None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Trace]:
    """Trace the block as one driver call: part of the enclosing one, where there is one.

    :param what: the operation and its object; the summary line begins with it.
    :param log: gets one summary line: the outcome, the duration, the number of requests sent to
        the cluster, and how long their responses took.
    :param level: log level of that line; None for no line.
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
    """Return a logger that prefixes each line with the id of its driver call."""
    return _Marking(logging.getLogger(name), {})


def _new_id() -> str:
    return uuid.uuid4().hex[:LENGTH]
