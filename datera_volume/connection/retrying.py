# SPDX-License-Identifier: Apache-2.0
"""When a request is sent again, and when that would be wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

import tenacity

from datera_volume.connection import tracing
from datera_volume.connection.errors import (
    ClusterUnreachable,
    NotOnCluster,
    OutcomeUnknown,
    Retriable,
    SessionEnded,
)
from datera_volume.connection.settings import ClusterSettings

LOG = tracing.logger(__name__)

T = TypeVar("T")

# Repeating one of these leaves the cluster as one of them would have left it.
REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
JITTER = 0.2
SHORTEST = 0.05


class AlreadyDeleted(Exception):
    """A repeated DELETE found nothing: the one whose answer was lost had done its work."""


def with_retries(
    once: Callable[[], T],
    *,
    method: str,
    settings: ClusterSettings,
    busy_timeout: float | None = None,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> T:
    """Call ``once`` until it works, while what went wrong may be tried again.

    A cluster that is busy or cannot be connected to has done nothing, so every request may be sent
    again. A request whose outcome is unknown is sent again only if doing it twice does no harm; a
    POST never is.

    :param busy_timeout: seconds, where they are not those of the settings. No attempt begins that
        would end after them if it took as long as the one before.
    :raises AlreadyDeleted: a DELETE was repeated and there is nothing left to delete.
    :raises ClusterUnreachable: a GET was never answered.
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
        except NotOnCluster as exc:
            if method == "DELETE" and lost_answer:
                raise AlreadyDeleted from exc
            raise

    def worth_another(exc: BaseException) -> bool:
        if isinstance(exc, OutcomeUnknown):
            return method in REPEATABLE
        return isinstance(exc, Retriable)

    def left() -> float:
        """Seconds until another attempt must begin, to end in time if it takes as long again."""
        return deadline - clock() - (clock() - began)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, (OutcomeUnknown, SessionEnded)) and state.attempt_number == 1:
            # Most likely the cluster had closed an idle connection: a new one helps at once. So
            # does a new session, where another thread's request had ended the last one.
            return 0.0
        interval = settings.busy_interval * (1 + random.uniform(0, JITTER))  # noqa: S311
        return max(0.0, min(max(SHORTEST, interval), left()))

    def tell(state: tenacity.RetryCallState) -> None:
        LOG.info(
            "Asking the Datera cluster %s again in %.1f s: %s",
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
