# SPDX-License-Identifier: Apache-2.0
"""One operation with one fault in it, and everything that may be wrong afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cinder import exception

from tests.faults.volumes.group_scenes import OPERATIONS
from tests.faults.volumes.stage import Stage
from tests.faults.volumes.ways import Struck
from tests.fixtures.datera.kept_state import KeptState
from tests.fixtures.faults.link import NeverEnds, Trouble

NO_SUCCESS = "a success is none"
HALF_DONE = "a failure has left it half done"


# Properties that are left out of a comparison.
NONE: tuple[str, ...] = ()
STATES, GROWING = ("state",), ("size", "replicas")
LEFT_OUT = (NONE, STATES, GROWING, (*STATES, *GROWING))
KEPT = ("provider_id", "provider_location", "_name_id")
"""What an operation may change in a record."""


class Walk:
    """An operation on a stage, walked once without a fault, and then with many.

    :ivar answers: what the cluster answered, request for request.
    """

    def __init__(self, stage: Stage, operation: str) -> None:
        stage.wipe()
        self.stage = stage
        self.scene = OPERATIONS[operation](stage)
        self._began = KeptState.of(stage.array.emulator.cluster)
        self._records = [
            (record, {name: getattr(record, name) for name in KEPT if name in record.fields})
            for record in (*self.scene.volumes, *self.scene.snapshots)
        ]
        self._before = self._seen()
        assert list(self._deleted()) == []
        self._put_back()
        self.scene.act()
        self.answers = list(stage.link.heard)
        self._after = self._seen()
        assert [*self._wrong_data(succeeded=True), *self._unnamed(), *self._deleted()] == []
        beyond = Trouble(stage.link.unconnected(0.0), self.requests + 1)
        assert self._act(lambda: stage.link.put(beyond), 0.0, []) is None
        assert (beyond.seen, beyond.hits) == (self.requests, 0), (
            "the requests are not always so many"
        )

    @property
    def requests(self) -> int:
        """How many there are."""
        return len(self.answers)

    def done(self) -> None:
        """Do it from the beginning, without a fault."""
        self._put_back()
        self.scene.act()
        self.stage.calm()

    def failing(
        self, inject: Callable[[], Struck], *, once: bool, seconds: float, exhausts: bool = False
    ) -> list[str]:
        """Return what is wrong after it was done with a fault, and done again or undone.

        :param once: whether the fault occurs once only.
        :param exhausts: whether that one exhausts the time for which a request is repeated.
        :param seconds: how long it may take.
        """
        problems: list[str] = []
        error = self._act(inject, seconds, problems)
        seen = self._seen()
        half_done = seen[NONE] not in (self._before[NONE], self._after[NONE])
        # Where the cluster did not answer in time, what had been set offline stays so until a host
        # attaches.
        waited = exhausts or not once
        but = STATES if waited else NONE
        if error is None and seen[but] != self._after[but]:
            problems.append(NO_SUCCESS)
        if half_done and once and not self.scene.resumes:
            if self.scene.grows or (waited and self.scene.may_have_grown):
                but = (*but, *GROWING)
            if seen[but] not in (self._before[but], self._after[but]):
                problems.append(HALF_DONE)
        problems += self._wrong_data(succeeded=error is None)
        problems += self._unnamed()
        # Where nothing was done and the cluster answers again, it is walked from the beginning.
        if error is not None and not (once and seen == self._before):
            problems += self._done_again(STATES if waited else NONE)
        if half_done:
            # From there both ways are walked; from the beginning and from the end they were.
            self._act(inject, seconds, [])
            problems += self._deleted()
        return problems

    def _seen(self) -> dict[tuple[str, ...], list[str]]:
        """Return what the cluster holds, by the properties that are left out."""
        return {but: self.stage.holds(self.scene, but) for but in LEFT_OUT}

    def _act(
        self, inject: Callable[[], Struck], seconds: float, problems: list[str]
    ) -> BaseException | None:
        """Do it with a fault; return its error, which may be that it was refused."""
        self._put_back()
        clock = self.stage.clock
        began = clock.now()
        fault = inject()
        error: BaseException | None = None
        try:
            self.scene.act()
        except exception.CinderException as exc:
            error = exc
        except (Exception, NeverEnds) as exc:  # what Cinder would put down to a bug
            error = exc
            problems.append(f"raised {exc!r}")
        if clock.now() - began > seconds:
            problems.append(f"took {clock.now() - began:g} s instead of {seconds:g} s at most")
        if not fault.hits:
            problems.append("the fault never occurred: there are fewer requests than were counted")
        self.stage.calm()
        return error

    def _put_back(self) -> None:
        self.stage.calm()
        self._began.put_back(self.stage.array.emulator.cluster)
        for record, values in self._records:
            if any(getattr(record, name) != value for name, value in values.items()):
                record.update(values)
                record.save()

    def _done_again(self, but: tuple[str, ...]) -> Iterator[str]:
        try:
            (self.scene.again or self.scene.act)()
        except Exception as exc:
            yield f"cannot be done again: {exc!r}"
            return
        if self.stage.holds(self.scene, but) != self._after[but]:
            yield "done again it is not done"
        yield from self._wrong_data(succeeded=True)
        yield from self._unnamed()

    def _wrong_data(self, *, succeeded: bool) -> Iterator[str]:
        contents = self.stage.contents()
        for volume, allowed in self.scene.keeps.items():
            if contents.get(volume) not in allowed:
                yield f"data is lost: {contents.get(volume)!r} instead of one of {allowed}"
        for volume, wanted in self.scene.makes.items() if succeeded else ():
            if contents.get(volume) != wanted:
                yield f"data is wrong: {contents.get(volume)!r} instead of {wanted!r}"

    def _unnamed(self) -> Iterator[str]:
        snapshots = {*(record.id for record in self.scene.snapshots), *self.scene.others}
        for instance in self.stage.array.emulator.cluster.app_instances.values():
            if not any(name in instance.name for name in self.scene.named):
                yield f"app instance {instance.name} is left behind"
            for _, volume in instance.volumes():
                for snapshot in volume.snapshots.values():
                    if snapshot.uuid not in snapshots:
                        yield f"snapshot {snapshot.uuid} is left behind"

    def _deleted(self) -> Iterator[str]:
        if not self.scene.ends:
            return
        try:
            for record in self.scene.snapshots:
                self.stage.driver.delete_snapshot(record)
            for record in self.scene.volumes:
                self.stage.driver.delete_volume(record)
        except Exception as exc:
            yield f"its records cannot be deleted: {exc!r}"
        for instance in self.stage.array.emulator.cluster.app_instances.values():
            yield f"app instance {instance.name} is left after its records were deleted"
