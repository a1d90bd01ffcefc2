# SPDX-License-Identifier: Apache-2.0
"""One run: plan over the records, delete what goes, and clean up after runs that were killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cinder import exception, objects
from oslo_config import cfg

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.calls import retirement
from backup_dispatch.drivers.families import keeps_folders
from backup_dispatch.drivers.interface import SupportsForget
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import DispatchError, OwnerUnresolved
from backup_dispatch.jobs.prune.candidate import AVAILABLE, Candidate
from backup_dispatch.jobs.prune.deletion import Deletions, Done, Outcome, World
from backup_dispatch.jobs.prune.plan import Decision, Plan, PolicyOf, Shelf, plan
from backup_dispatch.jobs.prune.policies import NamedPolicy
from backup_dispatch.jobs.prune.policy import Policy
from backup_dispatch.jobs.prune.reading import candidates
from backup_dispatch.jobs.prune.service import NoServiceUp

CONF = cfg.CONF

UNFINISHED = "(unfinished)"
"""In place of a policy's name, for backups that an earlier run has begun to delete."""

_FIXED_KEY = "00000000-0000-0000-0000-000000000000"
_KEY_MANAGERS_OF_ALL = ("conf_key_mgr", "vault")
"""Parts of the names of key managers that let a service delete a user's key."""


@dataclass(frozen=True)
class Selection:
    """Which backups a run is about; None matches all."""

    volume: str | None = None
    project: str | None = None
    backend: str | None = None
    prefix: str | None = None

    def matches(self, backup: Candidate, backend: str | None) -> bool:
        """Whether the run is about this backup.

        :param backend: the name of the backend that has it.
        """
        return (
            self.volume in (None, backup.volume)
            and self.project in (None, backup.project)
            and self.backend in (None, backend)
            and (self.prefix is None or (backup.name or "").startswith(self.prefix))
        )


class Retention:
    """Applies policies to a cloud's backups.

    :param context: an administrator's.
    :param require_up: raises a DispatchError if the backend does not answer.
    """

    def __init__(
        self,
        context: Any,
        enabled: Backends,
        world: World,
        require_up: Callable[[Backend], object],
    ) -> None:
        self._context = context
        self._enabled = enabled
        self._world = world
        self._require_up = require_up
        self._shelves: dict[str | None, Shelf | None] = {}

    def plan(self, policies: list[NamedPolicy], selection: Selection) -> Plan:
        """Decide what goes; nothing is changed."""
        found = list(candidates(self._context, selection.volume))
        policy_of = self._policy_of(policies, selection, found)
        return plan(found, policy_of, self.shelf_of, self._world.now(), _hindrance)

    def _policy_of(
        self, policies: list[NamedPolicy], selection: Selection, found: list[Candidate]
    ) -> PolicyOf:
        types: dict[str, str | None] = {}
        if any(one.volume_type for one in policies):
            types = backup_rows.volume_types(self._context, {one.volume for one in found})

        def policy_of(backup: Candidate) -> tuple[str, Policy] | None:
            shelf = self.shelf_of(backup.service)
            if not selection.matches(backup, shelf.name if shelf else None):
                return None
            if backup.is_half_deleted:
                return UNFINISHED, Policy()
            for one in policies:
                if one.counts_for(backup.name, types.get(backup.volume)):
                    return one.name, one.policy
            return None

        return policy_of

    def shelf_of(self, service: str | None) -> Shelf | None:
        """The enabled backend that a record's ``service`` names, or None."""
        if service not in self._shelves:
            self._shelves[service] = None
            if not records.is_unresolved(service):
                try:
                    backend = records.recorded_owner("", service or "", self._enabled)
                except OwnerUnresolved:
                    return None
                self._shelves[service] = Shelf(backend.name, _children_stand_alone(backend))
        return self._shelves[service]

    def carry_out(self, decided: Plan) -> Iterator[tuple[Decision, Done]]:
        """Delete what goes, in its order, after what earlier runs have left unfinished.

        Whatever happens to one backup, the others follow; one that others on it still need is kept.
        """
        run = _Run(self._enabled, Deletions(self._context, self._world), self._require_up)
        for one in decided.unfinished:
            yield one, run.done(one, run.deletions.finish)
        for one in decided.going:
            yield one, run.done(one, run.deletions.carry_out)
        self._clean_up({one.backup.volume for one in (*decided.decisions, *decided.unfinished)})

    def _clean_up(self, volumes: set[str]) -> None:
        """Take back marks of backups that stay, and correct the counts of children."""
        found = list(candidates(self._context))
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
                self._correct(one, len(own) if settled else one.children)

    def _correct(self, one: Candidate, children: int) -> None:
        try:
            backup = objects.Backup.get_by_id(self._context, one.id)
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


def _children_stand_alone(backend: Backend) -> bool:
    """Whether the service that runs lets a parent go before its children."""
    if CONF.backup_driver != records.DISPATCHER:
        return False
    if offered(backend.driver_class, SupportsForget) is None:
        return False
    # A property, which only an object can answer, is taken for a no.
    return getattr(backend.driver_class, "children_stand_alone", False) is True


def _hindrance(backup: Candidate) -> str:
    """Why only its owner can delete the backup; empty if the service can.

    Cinder deletes a backup's key with the backup, by the rights of whoever asks.
    """
    if backup.encryption_key in (None, "", _FIXED_KEY):
        return ""
    manager = str(CONF.key_manager.backend or "")
    if any(name in manager for name in _KEY_MANAGERS_OF_ALL):
        return ""
    return "only its owner can delete its key"


def counted(done: list[Done]) -> Counter[Outcome]:
    """How many of which outcome."""
    return Counter(one.outcome for one in done)
