# SPDX-License-Identifier: Apache-2.0
"""The steps of an operation, of three kinds, and each way in which each of them can fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.faults.backups.operations import Operation
from tests.faults.backups.walking import Inject, Walker
from tests.fixtures.faults.failing_devices import FAULTS, TOLD, FailingDevices
from tests.fixtures.faults.failing_requests import REQUEST_FAULTS, RequestFault
from tests.fixtures.faults.failing_statements import STATEMENT_FAULTS, FailingStatements
from tests.fixtures.faults.kth import Kth

Counts = Mapping[str, int]


class Case(NamedTuple):
    """One step that fails in one way.

    :ivar honest: whether what was written can be read, and whoever wrote it was told if not.
    :ivar of_device: whether the device fails, so that damage may be found.
    """

    title: str
    inject: Inject
    kth: Kth
    honest: bool = True
    of_device: bool = False


class Kind:
    """One kind of steps.

    :ivar word: what they are called in reports.
    """

    word: str

    def counted(self, walker: Walker, operation: Operation) -> Counts:
        """Return how many steps of each sort the operation has, when none fails."""
        raise NotImplementedError

    def faults(self, sort: str) -> list[str]:
        """Return how a step of a sort can fail, by name."""
        raise NotImplementedError

    def case(self, walker: Walker, sort: str, fault: str, kth: Kth) -> Case:
        """Return one of the cases."""
        raise NotImplementedError

    def cases(self, walker: Walker, counts: Counts) -> list[Case]:
        """Return all of them: each step of each sort with each fault, once and from then on."""
        return [
            self.case(walker, sort, fault, Kth(k, lasting))
            for sort, steps in counts.items()
            for fault in self.faults(sort)
            for k in range(1, steps + 1)
            for lasting in (False, True)
        ]


class Requests(Kind):
    """Requests to the cluster."""

    word = "requests to the cluster"

    def counted(self, walker: Walker, operation: Operation) -> Counts:
        return {"request": walker.steps(operation, _failing_requests(walker, None))}

    def faults(self, sort: str) -> list[str]:
        return [fault.name for fault in REQUEST_FAULTS]

    def case(self, walker: Walker, sort: str, fault: str, kth: Kth) -> Case:
        (chosen,) = [one for one in REQUEST_FAULTS if one.name == fault]
        return Case(_title(fault, sort, kth), _failing_requests(walker, chosen), kth)


class Statements(Kind):
    """Statements to Cinder's database."""

    word = "database statements"

    def counted(self, walker: Walker, operation: Operation) -> Counts:
        return {"statement": walker.steps(operation, self._failing(walker, None))}

    def faults(self, sort: str) -> list[str]:
        return list(STATEMENT_FAULTS)

    def case(self, walker: Walker, sort: str, fault: str, kth: Kth) -> Case:
        return Case(_title(fault, sort, kth), self._failing(walker, fault), kth)

    @staticmethod
    def _failing(walker: Walker, fault: str | None) -> Inject:
        statements = FailingStatements(walker.stage.engine, walker.stage.time)
        return lambda kth: statements.in_force(fault, kth)


class Calls(Kind):
    """Reads, writes, flushes and discards of a device; a subclass says of which.

    A container's device may also do something else than it says. A volume's may not: what a volume
    gave when it was read is what is backed up, and nobody reads what a restore has written.
    """

    volume = False

    def counted(self, walker: Walker, operation: Operation) -> Counts:
        counting = FailingDevices(walker.stage.folder, "", None, Kth())
        problems = walker.walk(operation, lambda _kth: counting.in_force(), Kth())
        assert problems == [], f"without any fault: {problems}"
        folder = str(self._folder(walker))
        return {
            call: sum(
                count
                for (kind, path), count in counting.calls.items()
                if kind == call and path.startswith(folder)
            )
            for call in FAULTS
        }

    def faults(self, sort: str) -> list[str]:
        return [fault for fault in FAULTS[sort] if fault in TOLD or not self.volume]

    def case(self, walker: Walker, sort: str, fault: str, kth: Kth) -> Case:
        folder = self._folder(walker)

        def inject(kth: Kth) -> AbstractContextManager[None]:
            return FailingDevices(folder, sort, fault, kth).in_force()

        honest = fault in TOLD or sort == "read"
        return Case(_title(fault, sort, kth), inject, kth, honest, of_device=True)

    def _folder(self, walker: Walker) -> Path:
        stage = walker.stage
        return stage.disks if self.volume else stage.folder / "array/data"


class ContainerCalls(Calls):
    """Those of containers' devices."""

    word = "calls of containers' devices"


class VolumeCalls(Calls):
    """Those of the device of the volume that is backed up, or restored to."""

    word = "calls of volumes' devices"
    volume = True


KINDS: dict[str, Kind] = {
    "request": Requests(),
    "statement": Statements(),
    "container": ContainerCalls(),
    "volume": VolumeCalls(),
}


def _title(fault: str, sort: str, kth: Kth) -> str:
    return f"{fault} at {sort} {kth.at} {'and from then on' if kth.lasting else 'once'}"


def _failing_requests(walker: Walker, fault: RequestFault | None) -> Inject:
    session = walker.stage.session

    @contextmanager
    def inject(kth: Kth) -> Iterator[None]:
        session.fail(fault, kth)
        try:
            yield
        finally:
            session.heal()

    return inject


def walked(walker: Walker, operation: Operation, case: Case) -> list[str]:
    """Return what is wrong with one case."""
    walker.honest, walker.stage.devices_fail = case.honest, case.of_device
    try:
        problems = walker.walk(operation, case.inject, case.kth)
    finally:
        walker.honest, walker.stage.devices_fail = True, False
    if not case.kth.hits:
        problems.append("there was no such step")
    return [f"{case.title}: {problem}" for problem in problems]
