# SPDX-License-Identifier: Apache-2.0
"""When a request is retried, and when that would be wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

import tenacity

from datera_volume.connection.errors import (
    ClusterUnreachable,
    DateraError,
    OutcomeUnknown,
    Retriable,
    SessionEnded,
)
from datera_volume.connection.settings import ClusterSettings
from datera_volume.connection.transport import tracing

LOG = tracing.logger(__name__)

T = TypeVar("T")

# Idempotent methods.
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
JITTER = 0.2
SHORTEST = 0.05


def with_retries(
    once: Callable[[], T],
    *,
    method: str,
    settings: ClusterSettings,
    busy_timeout: float | None = None,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> T:
    """Call ``once`` until it succeeds, as long as its errors can be retried.

    A cluster that is busy or unreachable has done nothing, so every request can be retried. A
    request whose outcome is unknown is retried only if it is idempotent; a POST never is.

    :param busy_timeout: seconds; None: as configured. No attempt begins that would exceed it if it
        took as long as the previous one.
    :raises ClusterUnreachable: a GET was never answered.
    :raises OutcomeUnknown: a response was lost, and retrying failed.
    :raises DateraError: whatever ``once`` raised last.
    """
    deadline = clock() + (settings.busy_timeout if busy_timeout is None else busy_timeout)
    lost_answer = False
    began = clock()

    def attempt() -> T:
        nonlocal lost_answer, began
        began = clock()
        try:
            return once()
        except OutcomeUnknown:
            lost_answer = True
            raise

    def worth_another(exc: BaseException) -> bool:
        if isinstance(exc, OutcomeUnknown):
            return method in REPEATABLE
        return isinstance(exc, Retriable)

    def left() -> float:
        """Seconds until another attempt must begin, to end in time if it takes equally long."""
        return deadline - clock() - (clock() - began)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, (OutcomeUnknown, SessionEnded)) and state.attempt_number == 1:
            # Most likely the cluster had closed an idle connection: a new one works at once. So
            # does a new session, where another thread's request had ended the last one.
            return 0.0
        interval = settings.busy_interval * (1 + random.uniform(0, JITTER))  # noqa: S311
        return max(0.0, min(max(SHORTEST, interval), left()))

    def tell(state: tenacity.RetryCallState) -> None:
        tracing.retried()
        LOG.info(
            "Retrying the request to the Datera cluster %s in %.1f s: %s",
            settings.address,
            state.next_action.sleep if state.next_action else 0.0,
            state.outcome.exception() if state.outcome else "",
        )

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_another),
        stop=lambda _state: left() < SHORTEST,
        wait=pause,
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return retrying(attempt)
    except OutcomeUnknown as exc:
        if method == "GET":
            raise ClusterUnreachable(str(exc)) from exc
        raise
    except DateraError as exc:
        if method != "GET" and lost_answer and isinstance(exc, Retriable):
            # It was sent, and retrying has not revealed its outcome.
            raise OutcomeUnknown(f"A response was lost, and then: {exc}") from exc
        raise
