# SPDX-License-Identifier: Apache-2.0
"""One run: delete what goes, and clean up after runs that were killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cinder import exception, objects

from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.calls import retirement
from backup_dispatch.drivers.families import keeps_folders
from backup_dispatch.errors import DispatchError
from backup_dispatch.jobs.prune.candidate import AVAILABLE, Candidate
from backup_dispatch.jobs.prune.deletion import Deletions, Done, Outcome, World
from backup_dispatch.jobs.prune.plan import Decision, Plan
from backup_dispatch.jobs.prune.reading import candidates
from backup_dispatch.jobs.prune.service import NoServiceUp


def carry_out(
    context: Any,
    enabled: Backends,
    decided: Plan,
    world: World,
    require_up: Callable[[Backend], object],
) -> Iterator[tuple[Decision, Done]]:
    """Delete what goes, in its order, after what earlier runs have left unfinished.

    Whatever happens to one backup, the others follow; one that others on it still need is kept.

    :param context: an administrator's.
    :param require_up: raises a DispatchError if the backend does not answer.
    """
    run = _Run(enabled, Deletions(context, world), require_up)
    for one in decided.unfinished:
        yield one, run.done(one, run.deletions.finish)
    for one in decided.going:
        yield one, run.done(one, run.deletions.carry_out)
    _clean_up(context, {one.backup.volume for one in (*decided.decisions, *decided.unfinished)})


def _clean_up(context: Any, volumes: set[str]) -> None:
    """Take back marks of backups that stay, and correct the counts of children."""
    found = list(candidates(context))
    children: dict[str, list[Candidate]] = {}
    for one in found:
        if one.parent:
            children.setdefault(one.parent, []).append(one)
    for one in found:
        if one.volume not in volumes or one.status != AVAILABLE:
            continue
        own = children.get(one.id, [])
        # One that is not available may not have been counted yet, or not any more.
        settled = all(child.status == AVAILABLE for child in own)
        if one.mark or (settled and len(own) != one.children):
            _correct(context, one, len(own) if settled else one.children)


def _correct(context: Any, one: Candidate, children: int) -> None:
    try:
        backup = objects.Backup.get_by_id(context, one.id)
    except exception.BackupNotFound:
        return
    if one.mark:
        retirement.mark(backup, None, AVAILABLE)
    counted = {"num_dependent_backups": children}
    backup.conditional_update(counted, {"num_dependent_backups": one.children})


@dataclass
class _Run:
    """What has happened in a run so far."""

    enabled: Backends
    deletions: Deletions
    require_up: Callable[[Backend], object]
    down: dict[str, str] = field(default_factory=dict)
    needed: dict[str, str] = field(default_factory=dict)
    lost: str = ""

    def done(self, one: Decision, delete: Callable[..., Done]) -> Done:
        """Delete one, unless something that happened before is against it."""
        backup, alone = one.backup, one.shelf.children_stand_alone
        if child := self.needed.get(backup.id):
            done = Done(Outcome.KEPT, f"for {child}")
        elif why := self.lost or self._down(one.shelf.name):
            done = Done(Outcome.UNKNOWN, why)
        else:
            backend = self.enabled.named(one.shelf.name)
            own_host = backend is not None and keeps_folders(backend.driver_class)
            try:
                done = delete(backup.id, alone=alone, own_host=own_host)
            except NoServiceUp as nobody:
                done = Done(Outcome.UNKNOWN, nobody.full_text)
            self.lost = done.why if done.request_lost else ""
        if done.outcome is not Outcome.GONE and backup.parent and not alone:
            self.needed[backup.parent] = child or backup.id
        return done

    def _down(self, name: str) -> str:
        """Why the backend cannot delete anything; empty if it can."""
        if name not in self.down:
            backend = self.enabled.named(name)
            assert backend is not None, name  # noqa: S101 - shelves are of enabled ones
            try:
                self.require_up(backend)
                self.down[name] = ""
            except DispatchError as error:
                self.down[name] = error.full_text
        return self.down[name]
