# SPDX-License-Identifier: Apache-2.0
"""Several changes to one volume: all of them, or as it was before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from oslo_log import log as logging

from datera_volume.connection import AppInstance, DateraError

LOG = logging.getLogger(__name__)

Undo = Callable[[], None]


@contextmanager
def all_or_nothing(ai: AppInstance) -> Iterator[Callable[[Undo], None]]:
    """Undo what was noted inside, the last first, if the block fails.

    Give each way back to what this yields, before the change itself: whether a change that failed
    has taken effect is not always known.
    """

    def attempt(undo: Undo) -> None:
        try:
            undo()
        except DateraError as exc:
            # The failure that led here is the one to raise.
            LOG.warning("App instance %s may not be as it was: %s", ai.name, exc)

    with ExitStack() as ways_back:

        def note(undo: Undo) -> None:
            ways_back.callback(attempt, undo)

        yield note
        ways_back.pop_all()
