# SPDX-License-Identifier: Apache-2.0
"""The walks as a state machine of hypothesis: which step, and of what, is drawn and shrunk."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.faults.model import fault_steps, operator_steps
from tests.faults.model.cloud import BACKENDS, PROJECTS, Cloud
from tests.faults.model.comparison import require_trespass_refused
from tests.faults.model.expected import BLOCKS, Backup, Volume
from tests.faults.model.walk import Walk, picked

MOST_BACKUPS = 14
MOST_VOLUMES = 5

NUMBER = st.integers(0, 255)
BACKEND = st.sampled_from(BACKENDS)
PROJECT = st.sampled_from(PROJECTS)
BLOCK = st.integers(0, BLOCKS - 1)
KIND = st.sampled_from(("noise", "text", "zeros"))


def some_volume(machine: Walks) -> bool:
    return bool(machine.started and machine.walk.expected.volumes)


def some_backup(machine: Walks) -> bool:
    return bool(machine.started and machine.walk.expected.backups)


def room(machine: Walks) -> bool:
    return some_volume(machine) and len(machine.walk.expected.backups) < MOST_BACKUPS


def room_for_copies(machine: Walks) -> bool:
    return some_backup(machine) and len(machine.walk.expected.backups) < MOST_BACKUPS


def something_away(machine: Walks) -> bool:
    return machine.started and bool(machine.walk.away)


def something_damaged(machine: Walks) -> bool:
    return machine.started and bool(machine.walk.mends)


class Walks(RuleBasedStateMachine):
    """One walk: a cloud of its own, and steps until they are as many as were asked for.

    :param start: starts a cloud.
    :param done: what was tried, added up over all walks.
    """

    def __init__(self, start: Callable[[], Cloud], done: Counter[str]) -> None:
        super().__init__()
        self.started = False
        self._start = start
        self._done = done

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        # The simplest of all walks, which hypothesis tries first, is of no interest.
        assume(seed)
        self._cloud = self._start()
        self._cloud.__enter__()
        self.walk = Walk(self._cloud)
        self.started = True
        for project in PROJECTS:
            self.walk.new_volume(project)
        for number, backend in enumerate(BACKENDS):
            self.full_backup(number, backend, number)

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

    @invariant()
    def is_as_expected(self) -> None:
        if self.started:
            self.walk.done["steps"] += 1
            self.walk.compare()

    def a_volume(self, number: int) -> Volume:
        return picked(list(self.walk.expected.volumes.values()), number)

    def a_backup(self, number: int) -> Backup:
        return picked(list(self.walk.expected.backups.values()), number)

    def back_up(self, volume: Volume, backend: str, block: int, *, incremental: bool) -> None:
        if self.walk.expected.spoiled or self.walk.expected.shaken:
            # What is stored beside damage would have to be told from it.
            fault_steps.mend(self.walk)
        self.walk.write(volume, block, "noise")
        self.walk.back_up(volume, backend, incremental=incremental)

    # Users

    @precondition(lambda self: self.started and len(self.walk.expected.volumes) < MOST_VOLUMES)
    @rule(project=PROJECT)
    def new_volume(self, project: str) -> None:
        self.walk.new_volume(project)

    @precondition(some_volume)
    @rule(number=NUMBER, block=BLOCK, kind=KIND)
    def write(self, number: int, block: int, kind: str) -> None:
        self.walk.write(self.a_volume(number), block, kind)

    @precondition(lambda self: some_volume(self) and len(self.walk.expected.volumes) > 2)
    @rule(number=NUMBER)
    def delete_volume(self, number: int) -> None:
        self.walk.delete_volume(self.a_volume(number))

    @precondition(room)
    @rule(number=NUMBER, backend=BACKEND, block=BLOCK)
    def full_backup(self, number: int, backend: str, block: int) -> None:
        volume = self.a_volume(number)
        self.back_up(volume, backend, block, incremental=False)

    @precondition(room)
    @rule(number=NUMBER, backend=BACKEND, block=BLOCK)
    def incremental_backup(self, number: int, backend: str, block: int) -> None:
        volume = self.a_volume(number)
        self.back_up(volume, backend, block, incremental=True)

    @precondition(room_for_copies)
    @rule(number=NUMBER, block=BLOCK)
    def go_on(self, number: int, block: int) -> None:
        """An incremental where there is something to build on, if its volume still exists."""
        backup = self.a_backup(number)
        volume = self.walk.expected.volumes.get(backup.volume)
        if volume is not None:
            self.back_up(volume, backup.backend, block, incremental=True)

    @precondition(some_backup)
    @rule(number=NUMBER)
    def restore(self, number: int) -> None:
        if len(self.walk.expected.volumes) < MOST_VOLUMES:
            self.walk.restore(self.a_backup(number))
        else:
            self.restore_over(number, number)

    @precondition(some_backup)
    @rule(number=NUMBER, other=NUMBER)
    def restore_over(self, number: int, other: int) -> None:
        backup = self.a_backup(number)
        own = [one for one in self.walk.expected.volumes.values() if one.project == backup.project]
        self.walk.restore(backup, picked(own, other) if own else None)

    @precondition(some_backup)
    @rule(number=NUMBER)
    def delete(self, number: int) -> None:
        self.walk.delete(self.a_backup(number))

    @precondition(some_backup)
    @rule(number=NUMBER)
    def trespass(self, number: int) -> None:
        require_trespass_refused(self._cloud, self.walk.expected, self.a_backup(number).id)
        self.walk.done["trespasses refused"] += 1

    # The operator

    @precondition(some_backup)
    @rule(number=NUMBER, thoroughly=st.booleans())
    def move(self, number: int, thoroughly: bool) -> None:
        self.walk.move(self.a_backup(number), thoroughly=thoroughly)

    @precondition(some_backup)
    @rule(number=NUMBER)
    def verify(self, number: int) -> None:
        operator_steps.verify(self.walk, self.a_backup(number))

    @precondition(some_backup)
    @rule(number=NUMBER)
    def salvage(self, number: int) -> None:
        operator_steps.salvage(self.walk, self.a_backup(number))

    @precondition(room_for_copies)
    @rule(number=NUMBER, onto=BACKEND)
    def copy(self, number: int, onto: str) -> None:
        operator_steps.copy(self.walk, self.a_backup(number), onto)

    @precondition(some_volume)
    @rule(number=NUMBER, last=st.integers(1, 3))
    def prune(self, number: int, last: int) -> None:
        operator_steps.prune(self.walk, self.a_volume(number), last)

    # Faults

    @precondition(lambda self: self.started and not self.walk.away)
    @rule(backend=BACKEND)
    def go_away(self, backend: str) -> None:
        fault_steps.go_away(self.walk, backend)

    @precondition(something_away)
    @rule(number=NUMBER)
    def come_back(self, number: int) -> None:
        fault_steps.come_back(self.walk, picked(sorted(self.walk.away), number))

    @precondition(lambda self: self.started)
    @rule()
    def restart(self) -> None:
        fault_steps.restart(self.walk)

    @precondition(some_backup)
    @rule(number=NUMBER, block=BLOCK)
    def damage(self, number: int, block: int) -> None:
        fault_steps.damage(self.walk, self.a_backup(number), block)

    @precondition(some_backup)
    @rule(number=NUMBER, where=st.integers(0, 999))
    def shake(self, number: int, where: int) -> None:
        fault_steps.shake(self.walk, self.a_backup(number), where / 1000)

    @precondition(something_damaged)
    @rule()
    def mend(self) -> None:
        fault_steps.mend(self.walk)

    @precondition(lambda self: self.started)
    @rule()
    def hosts(self) -> None:
        if self._cloud.has_second_host:
            self._cloud.host_goes()
        else:
            self._cloud.host_comes()
        self.walk.done["hosts that came or went"] += 1
