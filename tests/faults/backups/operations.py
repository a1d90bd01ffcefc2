# SPDX-License-Identifier: Apache-2.0
"""What is done with backups, what must have come of it, and how it is done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.backups.stage import Stage, World
from tests.faults.backups.volume import content_of

Act = Callable[[], Any]
Ids = dict[str, str]


@dataclass
class Operation:
    """One operation on the backups of a world; a subclass says which.

    :param world: what there is before, by its name in :data:`WORLDS`.
    :param days: what each backup of the world holds, by its name there.
    """

    world: str

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        """Return the driver's call, with all read that Cinder reads before."""
        raise NotImplementedError

    def ended(self, stage: Stage, ids: Ids, told: Any, error: Exception | None) -> None:
        """Write down what Cinder's manager does when the call has ended."""

    def makes(self) -> dict[str, bytes]:
        """What backups hold that it makes, by their names."""
        return {}

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        """Yield what is wrong with a success."""
        yield from ()

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        """Do it again, or undo it; yield what is wrong then."""
        yield from ()


@dataclass
class Create(Operation):
    """Take a backup; one that failed is deleted, and another is taken.

    :param parent: the backup that it is an incremental of.
    :param first: whether it is the process's first use of the cluster.
    """

    parent: str | None = None
    day: int = 3
    first: bool = False
    metadata: bool = False
    before: list[str] = field(default_factory=list)

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        self.before = stage.names
        record = stage.backup(ids["new"])
        if self.first:
            stage.end_session()

        def act() -> Any:
            with stage.source(self.day).open("rb") as file:
                return stage.driver.backup(record, file, self.metadata)

        return act

    def ended(self, stage: Stage, ids: Ids, told: Any, error: Exception | None) -> None:
        if error is None:
            stage.taken(ids["new"], told)
        else:
            stage.put(ids["new"], "error")

    def makes(self) -> dict[str, bytes]:
        return {"new": content_of(self.day), "again": content_of(self.day)}

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        if stage.row(ids["new"]).status != "available":
            yield "a success is none"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        stage.delete(ids["new"])
        if stage.names != self.before:
            yield f"its record is deleted, and there are {stage.names}, not {self.before}"
        for container in stage.names:
            if ids["new"] in stage.backups_in(container):
                yield f"its record is deleted, and it is in {container}"
        stage.taken(ids["again"], stage.take(ids["again"], self.day))
        if stage.row(ids["again"]).status != "available":
            yield "a new one does not succeed"


@dataclass
class Restore(Operation):
    """Restore a backup; where that failed, again."""

    of: str = "full"
    day: int = 0
    new: bool = False

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        stage.empty_target(b"\0" if self.new else b"\xee")
        stage.put(ids[self.of], "restoring")
        record = stage.backup(ids[self.of])

        def act() -> None:
            with stage.target.open("r+b") as file:
                stage.driver.restore(record, stage.volume.id, file, self.new)

        return act

    def ended(self, stage: Stage, ids: Ids, told: Any, error: Exception | None) -> None:
        stage.put(ids[self.of], "available")

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        if stage.target.read_bytes() != content_of(self.day):
            yield "what was restored is not what was backed up"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        if error is not None:
            self.prepare(stage, ids)()
            yield from self.wrong(stage, ids, None)


@dataclass
class Delete(Operation):
    """Delete a backup; where that failed, again.

    :param forget: whether it is forgotten, though its incrementals live.
    """

    which: str = "full"
    forget: bool = False

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        stage.put(ids[self.which], "deleting")
        record = stage.backup(ids[self.which])
        if self.forget:
            return lambda: stage.driver.forget(record)
        return lambda: stage.driver.delete_backup(record)

    def ended(self, stage: Stage, ids: Ids, told: Any, error: Exception | None) -> None:
        if error is None:
            stage.backup(ids[self.which]).destroy()
        else:
            stage.put(ids[self.which], "error_deleting")

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        for container in stage.names:
            if ids[self.which] in stage.backups_in(container):
                yield f"it is deleted, and in {container}"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        if error is not None:
            self.prepare(stage, ids)()
            self.ended(stage, ids, None, None)
            yield from self.wrong(stage, ids, None)
        if stage.spare():
            # The next deletions in the chain give it back.
            for record in reversed(stage.records()):
                stage.delete(record.id)
            if stage.names:
                yield f"all is deleted, and {stage.names} are left"


@dataclass
class Look(Operation):
    """Look at a backup: verify it, import it, ask whether it is there, read its size."""

    what: str = "verify"
    of: str = "full"

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        record, driver = stage.backup(ids[self.of]), stage.driver
        if self.what == "import":
            exported = driver.export_record(record)
            return lambda: driver.import_record(record, exported)
        if self.what == "verify":
            return lambda: driver.verify(record, lambda _done, _of: None)
        return lambda: getattr(driver, self.what)(record)

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        if self.what == "verify" and told and not stage.devices_fail:
            yield f"damage is found where there is none: {told}"
        if self.what == "holds" and told is False:
            yield "it is said not to be there"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        if error is not None:
            yield from self.wrong(stage, ids, self.prepare(stage, ids)())


def nothing(stage: Stage) -> Ids:
    return {"new": stage.record(), "again": stage.record()}


def a_full(stage: Stage) -> Ids:
    full = stage.full(0)
    return {"full": full, "new": stage.record(full), "again": stage.record(full)}


def one(stage: Stage) -> Ids:
    return {"full": stage.full(0)}


def a_full_and_another(stage: Stage) -> Ids:
    return {"full": stage.full(0), "new": stage.record(), "again": stage.record()}


def three(stage: Stage) -> Ids:
    full = stage.full(0)
    middle, newest = stage.full(1, full), stage.full(2, full)
    return {"full": full, "middle": middle, "newest": newest}


def a_chain(stage: Stage) -> Ids:
    full = stage.full(0)
    middle = stage.full(1, full)
    return {"full": full, "middle": middle, "newest": stage.full(2, middle)}


def two_containers(stage: Stage) -> Ids:
    full = stage.full(0)
    with stage.full_containers():
        newest = stage.full(1, full)
    assert len(stage.names) == 2
    return {"full": full, "newest": newest}


WORLDS: dict[str, Callable[[Stage], Ids]] = {
    each.__name__: each
    for each in (nothing, one, a_full, a_full_and_another, three, a_chain, two_containers)
}
DAYS = {"full": 0, "middle": 1, "newest": 2}


def contents(world: World, operation: Operation) -> dict[str, bytes]:
    """Return what the backups of a world hold, and what is made of it, by their ids."""
    days = dict(DAYS)
    if world.name == "two_containers":
        days["newest"] = 1
    held = {name: content_of(day) for name, day in days.items()} | operation.makes()
    return {backup_id: held[name] for name, backup_id in world.backups.items() if name in held}
