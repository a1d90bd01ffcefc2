# SPDX-License-Identifier: Apache-2.0
"""Clean-up steps that all run, the last first, and report all failures."""

from __future__ import annotations

import types
from collections.abc import Callable

from oslo_log import log as logging

from datera_backup.errors import CleanUpIncomplete

LOG = logging.getLogger(__name__)


class CleanUp:
    """Steps to run at the end of a block, the last first.

    Every step runs, even if the block or another step fails. An error of the block is raised as it
    is, with the failures of the steps in its chain. Without one, failures of the steps are raised,
    unless the block is :meth:`settled`. They are logged in any case.

    :param subject: what the steps belong to, for messages.
    """

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self._steps: list[tuple[str, Callable[[], object]]] = []
        self._settled = False

    def add(self, what: str, step: Callable[[], object]) -> None:
        """Remember ``step``; ``what`` completes the sentence "could not …"."""
        self._steps.append((what, step))

    def forget(self) -> None:
        """Drop all steps: they are not needed any more, or somebody else's to run."""
        self._steps.clear()

    def settled(self) -> None:
        """Report the block as successful, even if a step fails: failures are only logged."""
        self._settled = True

    def run(self) -> list[tuple[str, Exception]]:
        """Run all steps, the last first, and return what failed.

        An exception that ends a thread ends only the step that it comes in; it is raised when all
        others have run.
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

    def __enter__(self) -> CleanUp:
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
