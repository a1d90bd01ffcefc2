# SPDX-License-Identifier: Apache-2.0
"""Several changes to one volume: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError

LOG = logging.getLogger(__name__)

Undo = Callable[[], None]


@contextmanager
def all_or_nothing(ai: AppInstance) -> Iterator[Callable[[Undo], None]]:
    """Roll back if the block fails: run the registered undo functions, the last first.

    Register each with the yielded function before the change itself: a failed change may have taken
    effect.
    """

    def attempt(undo: Undo) -> None:
        try:
            undo()
        except DateraError as exc:
            # The original failure is the one to raise.
            LOG.warning("App instance %s may not be rolled back completely: %s", ai.name, exc)

    with ExitStack() as ways_back:

        def note(undo: Undo) -> None:
            ways_back.callback(attempt, undo)

        yield note
        ways_back.pop_all()
