# SPDX-License-Identifier: Apache-2.0
"""Clean-up that runs backwards, to its end, and tells all that went wrong."""

from __future__ import annotations

import types
from collections.abc import Callable

from oslo_log import log as logging

from datera_backup.errors import CleanUpIncomplete

LOG = logging.getLogger(__name__)


class Undo:
    """What has been done so far, each with how to take it back.

    As a context manager it takes everything back at the end, last first. Where the block failed,
    its error goes on as it is, with the failures of the clean-up in its chain; where it did not,
    they are raised, unless what the block was for is :meth:`settled`. They are logged in any case.

    :param subject: what all this belongs to, for messages.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._steps: list[tuple[str, Callable[[], object]]] = []
        self._settled = False

    def add(self, what: str, step: Callable[[], object]) -> None:
        """Remember ``step``; ``what`` completes the sentence "could not …"."""
        self._steps.append((what, step))

    def forget(self) -> None:
        """Leave everything as it is: somebody else takes care of it from here on."""
        self._steps.clear()

    def settled(self) -> None:
        """Note that what the block was for is done, whatever the clean-up meets from here on."""
        self._settled = True

    def run(self) -> list[tuple[str, Exception]]:
        """Take everything back, last first, and return what failed.

        What is no error, but ends a thread, ends only the step it comes in; it is raised when the
        others are done.
        """
        failures: list[tuple[str, Exception]] = []
        ends: BaseException | None = None
        while self._steps:
            what, step = self._steps.pop()
            try:
                step()
            except Exception as failure:
                LOG.exception("%s: could not %s", self.subject, what)
                failures.append((what, failure))
            except BaseException as end:  # GreenletExit, eventlet.Timeout, KeyboardInterrupt
                LOG.exception("%s: did not %s to the end", self.subject, what)
                ends = ends or end
        if ends is not None:
            raise ends
        return failures

    def __enter__(self) -> Undo:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: types.TracebackType | None,
    ) -> None:
        failures = self.run()
        if not failures or (error is None and self._settled):
            return
        residue = CleanUpIncomplete(self.subject, failures)
        residue.__cause__ = failures[0][1]
        if error is None:
            raise residue
        put_into_chain(error, residue)


def put_into_chain(error: BaseException, further: BaseException) -> None:
    """Let ``further`` show up in the traceback of ``error``, behind everything that caused it."""
    seen = {id(error), id(further)}
    last = error
    while (earlier := last.__cause__ or last.__context__) is not None and id(earlier) not in seen:
        seen.add(id(earlier))
        last = earlier
    if last.__cause__ is None:
        last.__context__ = further
        last.__suppress_context__ = False
