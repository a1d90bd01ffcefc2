# SPDX-License-Identifier: Apache-2.0
"""The walks as a state machine of hypothesis: which step, and of what, is drawn and shrunk."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.faults.model import fault_steps
from tests.faults.model.cloud import BACKENDS, PROJECTS, Cloud
from tests.faults.model.steps import DRAWN, full_backup, possible
from tests.faults.model.walk import Walk

MOST_SIMPLEST = 4


class Walks(RuleBasedStateMachine):
    """One walk: a cloud of its own, and steps until they are as many as were asked for.

    All steps are one rule: of several, hypothesis would switch some off for a whole walk.

    :param start: makes a cloud, to be started.
    :param done: what was tried, added up over all walks.
    """

    def __init__(self, start: Callable[[], Cloud], done: Counter[str]) -> None:
        super().__init__()
        self.started = False
        self._start = start
        self._done = done
        self._simplest = 0

    def begin(self) -> None:
        self._cloud = self._start()
        self._cloud.__enter__()
        self.walk = Walk(self._cloud)
        self.started = True
        for project in PROJECTS:
            self.walk.new_volume(project)
        for number in range(len(BACKENDS)):
            full_backup(self.walk, number, number)

    @rule(
        name=st.sampled_from(DRAWN),
        number=st.integers(0, 2**8 - 1),
        other=st.integers(0, 2**10 - 1),
    )
    def step(self, name: str, number: int, other: int) -> None:
        # Hypothesis also tries walks that end with the simplest step again and again.
        self._simplest = self._simplest + 1 if (name, number, other) == (DRAWN[0], 0, 0) else 0
        assume(self._simplest < (MOST_SIMPLEST if self.started else 1))
        if not self.started:
            self.begin()
        possible(self.walk, name).do(self.walk, number, other)

    @invariant()
    def is_as_expected(self) -> None:
        if self.started:
            self.walk.compare()

    def teardown(self) -> None:
        if not self.started:
            return
        try:
            # A walk that failed has told all that it has to tell.
            if sys.exc_info()[0] is None:
                fault_steps.end(self.walk)
        finally:
            self._cloud.__exit__(None, None, None)
            self._done.update(self.walk.done)
