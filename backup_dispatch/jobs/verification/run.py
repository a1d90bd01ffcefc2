# SPDX-License-Identifier: Apache-2.0
"""One run over many backups, which remembers each result as soon as there is one.

A run may end at any moment: by its time limit, by a signal, by a crash. What it has finished is
remembered, what it was reading is not, and the next run begins with what is the longest unverified
then. Damage is told before it is remembered: twice after a crash, rather than never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from oslo_utils import timeutils, units

from backup_dispatch.backup_rows import Row
from backup_dispatch.drivers.verification import Verdict, Verified
from backup_dispatch.jobs.remembered import Past, Remembered, mark_of, remember, remember_attempt
from backup_dispatch.jobs.verification.outcome import Limits, Outcome, Position, TimeIsUp
from backup_dispatch.jobs.verification.queue import Item, Known, Queue
from backup_dispatch.jobs.verification.reading import Looked, Reading
from backup_dispatch.jobs.verification.single import Cloud

_TOO_LONG = "took longer than the run had time"
_NO_VERDICT = "gave no verdict"
_ENOUGH_TIME = 0.5


class VerificationRun:
    """Verifies what a queue contains, in its order.

    :param known: the records that the queue was made of.
    :param tell: called with each outcome, before it is remembered.
    :param progress: called now and then while a backup is read.
    :ivar outcomes: by ID: of each backup of the queue that was reached, and of others of which it
        turned out that they build on damage.
    :ivar too_long: what could not be finished although the run had time for it.
    """

    def __init__(
        self,
        cloud: Cloud,
        known: Known,
        queue: Queue,
        *,
        tell: Callable[[Outcome], None],
        progress: Callable[[Position], None] = lambda _position: None,
        limits: Limits | None = None,
    ) -> None:
        self._cloud = cloud
        self._known = known
        self._items = list(queue.items)
        self._tell = tell
        self._progress = progress
        self._limits = limits or Limits()
        self._pasts: dict[str, Past] = {}
        self._reading = Reading(cloud, known, self._past_of)
        self._position = Position(len(self._items), sum(map(_weight, self._items)))
        self._begun: tuple[int, float] | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.too_long: Row | None = None

    def run(self) -> Sequence[Outcome]:
        """Verify until all is done, or the time is up.

        :returns: also outcomes without a verdict, of what was not reached.
        """
        self._limits.start()
        try:
            for number, item in enumerate(self._items, 1):
                self._one(number, item)
        except TimeIsUp:
            self._note_what_took_too_long()
        return [
            *self.outcomes.values(),
            *(self._not_reached(one) for one in self._items if one.row.id not in self.outcomes),
        ]

    def _one(self, number: int, item: Item) -> None:
        self._limits.require()
        self._begun = number, self._limits.left
        position, before, weight = self._position, self._position.done, _weight(item)
        position.number, position.row = number, item.row

        def told(done: int, total: int) -> None:
            self._limits.require()
            position.done = before + weight * (min(done / total, 1.0) if total else 0.0)
            self._progress(position)

        self._progress(position)
        started = self._limits.clock()
        looked = self._reading.look(item, _now(), told)
        self._begun = None
        position.done = before + weight
        self._finish(item.row, looked, self._limits.clock() - started)

    def _finish(self, row: Row, looked: Looked, seconds: float) -> None:
        earlier = self.outcomes.get(row.id)
        outcome = self._outcome(row, looked, seconds)
        if earlier is None or outcome.is_news or outcome.verdict is not earlier.verdict:
            self._tell(outcome)
        told_now = earlier is not None and earlier.is_news
        self.outcomes[row.id] = replace(outcome, is_news=outcome.is_news or told_now)
        if row.id in self._reading.damaged:
            # Before the damage itself is remembered: until then the next run reads it again.
            for one in self._known.descendants(row.id):
                self._condemn(one)
        self._remember(outcome)

    def _condemn(self, row: Row) -> None:
        """Note that a backup builds on damage; if it has a turn of its own, it is read besides."""
        past = self._past_of(row.id)
        damage = self._reading.inherited(row.id)
        if not damage or past.is_damaged:
            return
        read = past.last.read if past.last else None
        owner = self._cloud.owner_by(row.service)
        found = Verified("what it builds on", damage)
        looked = Looked(owner.name if owner else None, found, read=read)
        self._finish(row, looked, 0.0)

    # What is remembered

    def _past_of(self, backup_id: str) -> Past:
        return self._pasts.get(backup_id) or self._known.past(backup_id)

    def _outcome(self, row: Row, looked: Looked, seconds: float) -> Outcome:
        past, verdict = self._past_of(row.id), looked.found.finding
        told = past.last.mark if past.last is not None and past.is_damaged else None
        is_news = verdict is Verdict.DAMAGED and told != mark_of(looked.found.damage)
        since = {Verdict.SOUND: looked.since, Verdict.DAMAGED: _now()}.get(verdict)
        return Outcome(
            row,
            looked.backend,
            verdict,
            looked.found,
            past,
            since=since,
            read=looked.read,
            seconds=seconds,
            is_news=is_news,
            was_tried=looked.was_tried,
        )

    def _remember(self, outcome: Outcome) -> None:
        backup_id = outcome.row.id
        if outcome.verdict is None or outcome.since is None:
            if outcome.was_tried:
                remember_attempt(self._cloud.context, backup_id, _now(), _NO_VERDICT)
            return
        mark = mark_of(outcome.found.damage) if outcome.found.damage else ""
        last = Remembered(outcome.verdict, outcome.since, outcome.read, mark)
        self._pasts[backup_id] = Past(last)
        remember(self._cloud.context, backup_id, last)

    # The end of the time

    def _note_what_took_too_long(self) -> None:
        """Let others have their turn first, if the whole run would not be enough for the first."""
        if self._begun is None:
            return
        number, left = self._begun
        had_turns = any(
            one.has_turn and one.row.id in self.outcomes and self.outcomes[one.row.id].was_tried
            for one in self._items[: number - 1]
        )
        if had_turns and left < _ENOUGH_TIME:
            return
        self.too_long = self._items[number - 1].row
        for one in self._items[number - 1 :]:
            remember_attempt(self._cloud.context, one.row.id, _now(), _TOO_LONG)
            if one.has_turn:
                break

    def _not_reached(self, item: Item) -> Outcome:
        owner = self._cloud.owner_by(item.row.service)
        name = owner.name if owner else None
        return Outcome(item.row, name, None, Verified("nothing"), self._past_of(item.row.id))


def _weight(item: Item) -> int:
    return (item.row.size or 0) * units.Gi if item.reads else 0


def _now() -> datetime:
    now: datetime = timeutils.utcnow()
    return now.replace(microsecond=0)
