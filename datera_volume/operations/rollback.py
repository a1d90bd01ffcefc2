# SPDX-License-Identifier: Apache-2.0
"""Several changes to one volume: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError, OutcomeUnknown, Retriable, Tenant

LOG = logging.getLogger(__name__)

Undo = Callable[[Tenant], object]


@contextmanager
def all_or_nothing(tenant: Tenant, ai: AppInstance) -> Iterator[Callable[[Undo], None]]:
    """Roll back if the block fails: run the registered undo functions, the last first.

    Register each with the yielded function before the change itself: a failed change may have taken
    effect. Each is called with the tenant; a cluster that has been waited for in vain is not waited
    for again, by one undo function after the other.
    """
    asking = tenant

    def attempt(undo: Undo) -> None:
        nonlocal asking
        try:
            undo(asking)
        except DateraError as exc:
            # The original failure is the one to raise.
            LOG.warning("App instance %s may not be rolled back completely: %s", ai.name, exc)
            if isinstance(exc, (Retriable, OutcomeUnknown)):
                asking = tenant.at_once()

    with ExitStack() as ways_back:

        def note(undo: Undo) -> None:
            ways_back.callback(attempt, undo)

        try:
            yield note
        except Retriable:
            # The busy timeout is exhausted already.
            asking = tenant.at_once()
            raise
        ways_back.pop_all()
