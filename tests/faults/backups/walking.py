# SPDX-License-Identifier: Apache-2.0
"""One operation after the other in which a step fails, and what is wrong afterwards."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cinder import exception
from oslo_db.exception import DBError
from sqlalchemy.exc import DBAPIError

from datera_backup.container import ContainerError
from datera_emulator.target import brick
from tests.faults.backups.operations import WORLDS, Operation, contents
from tests.faults.backups.stage import Stage, World
from tests.faults.backups.stored import Damaged
from tests.fixtures.faults.kth import Kth
from tests.fixtures.faults.mocked_time import WaitsForEver

Inject = Callable[[Kth], Any]


@dataclass
class Walker:
    """Walks operations on one stage.

    :param typed: what an operation may raise.
    :param honest: whether what was written can be read: devices do not lie. Else what is damaged
        may be refused, by an error that says so.
    :ivar healed: what was wrong after an operation was made good, by the state it was in.
    :ivar refused: how often what came after an operation was refused.
    """

    stage: Stage
    worlds: dict[str, World]
    typed: tuple[type[Exception], ...] = (exception.CinderException, DBError, DBAPIError)
    honest: bool = True
    healed: dict[object, list[str]] = field(default_factory=dict)
    refused: int = 0

    def world(self, name: str) -> World:
        """Return what an operation begins with; it is made once."""
        if name not in self.worlds:
            if self.worlds:
                self.worlds["empty"].restore()
            else:
                self.worlds["empty"] = World(self.stage, "empty", {})
            self.worlds[name] = World(self.stage, name, WORLDS[name](self.stage))
        return self.worlds[name]

    def steps(self, operation: Operation, inject: Inject) -> int:
        """Return how many steps an operation has in which nothing fails, and check that."""
        kth = Kth()
        problems = self.walk(operation, inject, kth)
        assert problems == [], f"without any fault: {problems}"
        return kth.passed

    def walk(self, operation: Operation, inject: Inject, kth: Kth) -> list[str]:
        """Do the operation while faults are in force, and return what is wrong afterwards.

        :param inject: puts them into force, for the one call.
        """
        stage, world = self.stage, self.world(operation.world)
        world.restore()
        act = operation.prepare(stage, world.backups)
        told: Any = None
        error: Exception | None = None
        try:
            with inject(kth):
                told = act()
        except WaitsForEver as hang:
            return [f"it does not end: {hang}, {_waiting(hang)}"]
        except Exception as failure:
            error = failure
        stage.session.heal()
        stage.time.pass_by(600)
        problems = []
        if error is not None and not isinstance(error, self.typed):
            problems.append(f"raised {error!r}")
        if error is not None and not str(error):
            problems.append(f"{error!r} says nothing")
        operation.ended(stage, world.backups, told, error)
        try:
            self._judge(problems, operation, world, told, error, restarted=kth.at % 2 == 0)
        except WaitsForEver as hang:
            problems.append(f"what comes after does not end: {hang}, {_waiting(hang)}")
        except Exception as failure:
            if self.honest or not isinstance(failure, (*self.typed, ContainerError)):
                problems.append(f"then {failure!r}")
            self.refused += 1
            problems += [*self._unnamed(), *self._left()]
        if problems:
            problems.append(f"[{error!r}]")
        return problems

    def _judge(
        self,
        problems: list[str],
        operation: Operation,
        world: World,
        told: Any,
        error: Exception | None,
        *,
        restarted: bool,
    ) -> None:
        """Find what is wrong, before and after the operation is made good."""
        stage = self.stage
        problems += self._unnamed()
        problems += self._lost(world, operation)
        if error is None:
            problems += operation.wrong(stage, world.backups, told)
        if restarted:
            stage.forget_process()
        stage.clear_leftovers()
        problems += self._left()
        problems += self._healed(operation, world, error)

    def _healed(self, operation: Operation, world: World, error: Exception | None) -> list[str]:
        """Return what is wrong after the operation was made good: once for each state it left.

        What comes next follows from the state, and few states come of many faults.
        """
        stage = self.stage
        state = (id(operation), error is None, stage.fingerprint())
        if state not in self.healed:
            self.healed[state] = [
                *operation.heal(stage, world.backups, error),
                *self._unnamed(),
                *self._lost(world, operation),
                *self._left(),
            ]
        return self.healed[state]

    def _unnamed(self) -> Iterator[str]:
        """What is on the cluster and in no record, nor needed by what is in one."""
        named = self._allowed()
        for name in self.stage.names:
            if name not in named:
                yield f"{name} is left, and no record names it"

    def _allowed(self) -> set[str]:
        """The containers that may be there."""
        named = self.stage.named()
        return named | self.stage.spare() if self.stage.devices_fail else named

    def _lost(self, world: World, operation: Operation) -> Iterator[str]:
        """What is called available and is not what was backed up."""
        expected = contents(world, operation)
        for record in self.stage.records():
            if record.status != "available" or record.id not in expected:
                continue
            try:
                if self.stage.reading(record.id) != expected[record.id]:
                    yield f"backup {record.id} has other bytes"
            except Damaged as damage:
                if self.honest:
                    yield f"backup {record.id} is damaged: {damage}"

    def _left(self) -> Iterator[str]:
        """What is left open on the cluster, or of containers on this host."""
        for instance in self.stage.emulator.cluster.app_instances.values():
            if instance.admin_state != "offline":
                yield f"{instance.name} is online"
            for storage in instance.storage_instances.values():
                if storage.initiators:
                    yield f"{instance.name} lets {storage.initiators} in"
        if len(self.stage.emulator.cluster.sessions) or brick._HOST.attachments:
            yield "a session is left"
        for path in self.stage.open_files():
            yield f"{path} is left open"
        named = self._allowed()
        for file in self.stage.lock_files():
            if not any(name in file.name for name in named):
                yield f"the lock's file {file.name} is left"


def _waiting(hang: WaitsForEver) -> str:
    """Return who waits, from the operation inwards, in the sources that ship."""
    frames = traceback.extract_tb(hang.__traceback__)
    return " > ".join(one.name for one in frames if "/tests/" not in one.filename)
