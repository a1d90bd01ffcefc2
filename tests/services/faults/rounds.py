# SPDX-License-Identifier: Apache-2.0
"""Rounds of operations under way at once, during which one process of a zone is killed."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from demo.waiting import NotYet, until
from tests.services.faults import data
from tests.services.faults.lane import BACKUP, COMMAND, SECONDS, VOLUME, Lane
from tests.services.faults.requests_to_cinder import Refused
from tests.services.faults.small_cloud import Process, initiator

LOG = logging.getLogger(__name__)
INSTANCE = "instance"
CHAIN = 4
RECOVERY_STEPS = 60
AGAIN = 0.5
"""Of the recoveries that are killed, too."""
FIRST_GUESS = {BACKUP: 400, VOLUME: 150, COMMAND: 120}


class Rounds:
    """One zone's rounds.

    :ivar killed: how often which process was, and during what.
    """

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.killed: Counter[str] = Counter()
        self._chance = lane.chance
        # How many steps the operations of a round take, as far as it was seen.
        self._length = dict(FIRST_GUESS)

    def prepare(self) -> None:
        """Start the services, and make what the operations are about."""
        lane = self.lane
        for program in (VOLUME, BACKUP):
            lane.launch(program)
        self.source, self.chained, self.target, self.attached = (lane.volume() for _ in range(4))
        for volume in (self.source, self.chained):
            data.scatter(lane.path(volume), self._chance, 12)
        self.restored = lane.backup(self.source)
        self.chain = [lane.backup(self.chained)]
        self.doomed = lane.backup(self.source)

    def round(self, number: int) -> None:
        """Kill a process once at least, and check the promises."""
        victim = self._chance.choices((BACKUP, VOLUME, COMMAND), (6, 3, 2))[0]
        count = self._chance.randrange(1, self._length[victim] + 1)
        told = f"{self.lane.zone} round {number}: {victim} at step {count}"
        try:
            self._killed_in_round(victim, count)
            self._check()
        except BaseException as failure:
            failure.add_note(f"{told}; so far {dict(self.killed)}")
            # The other zones go on, and of several failures the test tells the first.
            LOG.exception("%s", told)
            raise
        LOG.info("%s: %s", told, dict(self.killed))

    def finish(self) -> None:
        """Delete all, and see that all of it is gone."""
        lane = self.lane
        lane.delete(lane.states("backups", lane.backups))
        lane.delete_volumes(list(lane.volumes))
        lane.await_no_leaks()
        assert lane.on_cluster() == []
        assert [path for path in lane.folder.rglob("*") if path.is_file()] == []
        rows = lane.cloud.database.query(
            "SELECT a.id FROM volume_attachment a JOIN volumes v ON v.id = a.volume_id"
            " WHERE a.deleted = 0 AND v.availability_zone = %s",
            lane.zone,
        )
        assert rows == []
        lane.stop()

    # -- one round -------------------------------------------------------------------------

    def _killed_in_round(self, victim: str, count: int) -> None:
        lane = self.lane
        self.begun: list[str] = []
        with ThreadPoolExecutor(2) as side:
            if victim == COMMAND:
                self._begin()
                words = self._words()
                running = lane.processes[COMMAND] = lane.command(*words)
            else:
                running = lane.processes[victim]
            running.steps.end_after(count)
            before = running.steps.made
            if victim != COMMAND:
                self._begin()
            attaching = side.submit(self._attach_and_detach)
            command = lane.command(*self._words()) if victim == BACKUP else None
            self._await_end(running, attaching, command)
            if running.has_ended() and running.steps.is_over:
                self._tell_death(victim)
            else:
                self._length[victim] = max(running.steps.made - before, 1)
                self.killed[f"{victim} at rest"] += 1
                running.steps.spare()
            running.kill()
            if victim != COMMAND:
                self._back(victim)
            if command is not None:
                assert command.has_ended(SECONDS)
                command.kill()
        lane.detach_all(self.attached)
        lane.settled()

    def _begin(self) -> None:
        lane = self.lane
        # First, for an incremental would have it as its parent.
        lane.requests.delete_backup(self.doomed)
        data.scatter(lane.path(self.chained), self._chance, 3)
        self.begun = [
            lane.begin_backup(self.source),
            lane.begin_backup(self.chained, incremental=True),
        ]
        lane.usable(self.target)
        lane.requests.restore(self.restored, self.target)

    def _words(self) -> tuple[str, ...]:
        if self._chance.random() < 0.5:
            return ("prune", "--volume", self.chained, "--keep-last", "2")
        return ("copy", self.restored, "--to", "posix")

    def _attach_and_detach(self) -> None:
        """As for an instance; whoever asked looks after what has failed."""
        lane = self.lane
        with suppress(Refused):
            made = lane.requests.attach(self.attached, INSTANCE, initiator(INSTANCE))
            lane.requests.detach(made)

    def _await_end(
        self, running: Process, attaching: Future[None], command: Process | None
    ) -> None:
        """Return once the process has ended, or all that was begun."""
        lane = self.lane

        def over() -> bool:
            return running.has_ended() or (
                running is not lane.processes.get(COMMAND)
                and attaching.done()
                and (command is None or command.has_ended())
                and not lane.under_way()
            )

        until("a process's end", over, seconds=SECONDS)

    def _tell_death(self, victim: str) -> None:
        self.killed[victim] += 1
        for state in self.lane.under_way().values():
            self.killed[f"while {state}"] += 1

    def _back(self, victim: str) -> None:
        """Start it again, perhaps several times."""
        while True:
            again = self.lane.launch(victim)
            if self._chance.random() >= AGAIN:
                again.steps.spare()
                return
            again.steps.end_after(self._chance.randrange(1, RECOVERY_STEPS))
            until(
                "recovery",
                lambda again=again: again.has_ended() or not self.lane.under_way(),  # type: ignore[misc]
                seconds=SECONDS,
            )
            if not again.has_ended():
                again.steps.spare()
                return
            again.kill()
            self.killed[f"{victim} while it recovers"] += 1

    # -- the promises ----------------------------------------------------------------------

    def _check(self) -> None:
        lane = self.lane
        self._check_copies()
        states = lane.states("backups", lane.backups)
        alive = [one for one in states if states[one] == "available"]
        failed = [one for one in states if states[one] == "error"]
        assert self.restored in alive
        assert self.doomed not in alive, "its deletion was asked for"
        full, incremental = self.begun
        self.chain = [one for one in self.chain if one in alive]
        for one in {full, incremental, *self.chain[:1]} & set(alive):
            lane.restored(one, self.target)
        lane.delete(failed)
        if incremental in alive:
            self.chain.append(incremental)
        if not self.chain:
            self.chain = [lane.backup(self.chained)]
        self.doomed = self._next_doomed(full if full in alive else None)
        lane.await_no_leaks()

    def _next_doomed(self, full: str | None) -> str:
        lane = self.lane
        if len(self.chain) >= CHAIN:
            if full is not None:
                lane.delete([full])
            # Cinder deletes no parent.
            return self.chain.pop()
        return full or lane.backup(self.source)

    def _copies(self) -> list[dict[str, Any]]:
        return self.lane.cloud.database.query(
            "SELECT b.id, b.status FROM backups b JOIN backup_metadata m ON m.backup_id = b.id"
            " WHERE b.deleted = 0 AND m.deleted = 0 AND m.`key` = 'copy_of' AND m.value = %s",
            self.restored,
        )

    def _check_copies(self) -> None:
        """The next run heals what a killed one has left, and there is one copy; then it goes."""
        lane = self.lane
        if not self._copies():
            return

        def made() -> str:
            # The lock of a killed run is held until its lease ends: a timer repeats it.
            told = lane.await_command("copy", self.restored, "--to", "posix")
            found = self._copies()
            assert len(found) == 1, found
            if found[0]["status"] != "available":
                raise NotYet(told)
            return str(found[0]["id"])

        copy = until("the copy", made, seconds=SECONDS)
        lane.backups.add(copy)
        lane.contents[copy] = lane.contents[self.restored]
        lane.restored(copy, self.target)
        lane.delete([copy])
