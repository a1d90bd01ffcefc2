# SPDX-License-Identifier: Apache-2.0
"""The deletion of one backup, step by step, so that a kill at any moment is made up for.

1. the mark is saved: a policy has chosen the backup
2. its status becomes ``deleting``, if nobody has begun anything with it: the intent
3. its children are looked for; who makes one sees the status, so one of the two sees the other
4. the service is asked; its own first step is to change the mark
5. the record is watched until it is gone

The next run finds by status and mark where a run has ended: :meth:`Deletions.finish`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from cinder import exception, objects

from backup_dispatch.calls import retirement
from backup_dispatch.errors import StillAParent
from backup_dispatch.jobs.prune.candidate import (
    AVAILABLE,
    DELETING,
    FAILED,
    KEEP,
    users_word,
)
from backup_dispatch.jobs.prune.service import DeletionService, RequestLost

GRACE = timedelta(seconds=60)
"""How old a request must be that shows no effect, before it counts as lost and is made again."""

SETTLING = 2.0
"""Seconds in which Cinder's service counts what it has deleted."""

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 0.02, 2.0, 1.5
"""Seconds between two looks at a record that is being deleted, and how they grow."""


class Outcome(Enum):
    """What has become of a backup that was to go."""

    GONE = "gone"
    KEPT = "kept"
    FAILED = "failed"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Done:
    """An outcome; and why, unless the backup is gone.

    :ivar request_lost: the message bus did not take the request, nor will it take another.
    """

    outcome: Outcome
    why: str = ""
    request_lost: bool = False


@dataclass(frozen=True)
class World:
    """What a deletion needs beside the records.

    :ivar patience: seconds for one deletion, before the run goes on without its outcome.
    """

    service: DeletionService
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    now: Callable[[], datetime]
    patience: float


class Deletions:
    """Deletes backups one after the other.

    :param context: an administrator's.
    """

    def __init__(self, context: Any, world: World) -> None:
        self._context = context
        self._world = world

    def carry_out(self, backup_id: str, *, alone: bool, own_host: bool) -> Done:
        """Delete a backup that goes.

        :param alone: its children stand alone.
        :param own_host: its data may be on its own host.
        :raises NoServiceUp: nobody could delete it; nothing was changed.
        """
        backup = self._read(backup_id)
        if backup is None:
            return Done(Outcome.GONE)
        if backup.status != AVAILABLE:
            return Done(Outcome.KEPT, f"is {backup.status} by now")
        if word := users_word((backup.metadata or {}).get(KEEP), self._world.now()):
            return Done(Outcome.KEPT, word)
        host = self._world.service.host_for(backup, own_host_only=own_host)
        if not alone:
            self._let_settle(backup)
        return self._delete(backup, alone, host, retirement.REQUESTED)

    def finish(self, backup_id: str, *, alone: bool, own_host: bool) -> Done:
        """Finish the deletion of a backup that an earlier run has marked.

        :raises NoServiceUp: nobody could delete it; nothing was changed.
        """
        backup = self._read(backup_id)
        if backup is not None and self._may_be_under_way(backup):
            backup = self._after_grace(backup)
        if backup is None:
            return Done(Outcome.GONE)
        marked, going = retirement.mark_of(backup), backup.status == DELETING
        if not marked or (not going and backup.status not in FAILED):
            return self._left(backup_id)
        if going and marked in (retirement.BEGUN, retirement.BEGUN_AGAIN):
            return self._watch(backup)
        refused = not going and retirement.was_refused_as_parent(backup)
        if refused and marked in retirement.UNTOUCHED:
            return self._give_back(backup, str(backup.fail_reason))
        if not going and (children := self._against(backup, alone)):
            return Done(Outcome.FAILED, f"its deletion has failed before, and {children}")
        host = self._world.service.host_for(backup, own_host_only=own_host)
        again = marked if going else retirement.REQUESTED_AGAIN
        return self._delete(backup, alone, host, again)

    # The steps

    def _let_settle(self, backup: Any) -> None:
        """Wait a moment until a deleted child is not counted any more.

        Cinder deletes the child's record first. Its older releases then fail if the parent is gone,
        and leave the child in the quota.
        """
        until = self._world.clock() + SETTLING
        current: Any | None = backup
        while current is not None and current.num_dependent_backups:
            if self._world.clock() >= until or retirement.children_of(backup):
                return
            self._world.sleep(FIRST_PAUSE)
            current = self._read(backup.id)

    def _read(self, backup_id: str) -> Any | None:
        try:
            return objects.Backup.get_by_id(self._context, backup_id)
        except exception.BackupNotFound:
            return None

    def _delete(self, backup: Any, alone: bool, host: str, mark: str) -> Done:
        # Each only if nobody has changed the record's status since it was read.
        if not retirement.mark(backup, mark, backup.status):
            return self._left(backup.id)
        backup.metadata = {**(backup.metadata or {}), retirement.MARK: mark}
        backup.obj_reset_changes(["metadata"])
        wanted = {"status": DELETING, "host": host}
        if not backup.conditional_update(wanted, {"status": backup.status}):
            return self._left(backup.id)
        if children := self._against(backup, alone):
            return self._give_back(backup, children)
        try:
            self._world.service.delete(backup)
        except RequestLost as lost:
            return Done(Outcome.UNKNOWN, lost.full_text, request_lost=True)
        return self._watch(backup)

    @staticmethod
    def _against(backup: Any, alone: bool) -> str:
        """Why its children do not let it go; empty if they do."""
        children = retirement.children_of(backup)
        if not alone:
            return f"backup {children[0].id} builds on it" if children else ""
        try:
            retirement.refuse_while_child_is_busy(backup, children)
        except StillAParent as refusal:
            return refusal.full_text
        return ""

    def _give_back(self, backup: Any, why: str) -> Done:
        """Undo the claim: what was a backup is one again."""
        whole = retirement.mark_of(backup) in retirement.UNTOUCHED
        after = {"status": AVAILABLE, "fail_reason": None} if whole else {"status": "error"}
        if not backup.conditional_update(after, {"status": backup.status}):
            return self._left(backup.id)
        if not whole:
            return Done(Outcome.FAILED, f"its deletion has failed before, and {why}")
        retirement.mark(backup, None, AVAILABLE)
        return Done(Outcome.KEPT, why)

    def _left(self, backup_id: str) -> Done:
        """Leave a backup that somebody else has changed meanwhile."""
        backup = self._read(backup_id)
        if backup is None:
            return Done(Outcome.GONE)
        if backup.status not in (*FAILED, DELETING) and retirement.mark_of(backup):
            retirement.mark(backup, None, backup.status)
        return Done(Outcome.KEPT, f"is {backup.status} by now")

    def _watch(self, backup: Any) -> Done:
        """Wait until the record is gone, or says that it could not be deleted."""
        current: Any | None = backup
        pause, until = FIRST_PAUSE, self._world.clock() + self._world.patience
        while current := self._read(backup.id):
            if current.status in FAILED:
                return self._failed(current)
            if current.status != DELETING:
                return Done(Outcome.UNKNOWN, f"somebody has made it {current.status} meanwhile")
            if self._world.clock() >= until:
                return Done(Outcome.UNKNOWN, f"{current.host} is still deleting it")
            self._world.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)
        return Done(Outcome.GONE)

    def _failed(self, backup: Any) -> Done:
        marked = retirement.mark_of(backup)
        if marked in retirement.UNTOUCHED and retirement.was_refused_as_parent(backup):
            return self._give_back(backup, str(backup.fail_reason))
        return Done(Outcome.FAILED, str(backup.fail_reason))

    # What a killed run has left

    @staticmethod
    def _may_be_under_way(backup: Any) -> bool:
        requested = (retirement.REQUESTED, retirement.REQUESTED_AGAIN)
        return backup.status == DELETING and retirement.mark_of(backup) in requested

    def _after_grace(self, backup: Any) -> Any | None:
        """The record once its request has shown an effect, or is old enough to count as lost."""
        current: Any | None = backup
        pause = FIRST_PAUSE
        while current is not None and self._may_be_under_way(current):
            since = current.updated_at
            if since is None or self._world.now() - _utc(since) >= GRACE:
                break
            self._world.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE)
            current = self._read(backup.id)
        return current


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
