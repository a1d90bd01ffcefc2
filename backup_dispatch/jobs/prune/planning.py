# SPDX-License-Identifier: Apache-2.0
"""The plan for a cloud: the records and the policies are read, and nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oslo_config import cfg

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.interface import SupportsForget
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import OwnerUnresolved
from backup_dispatch.jobs.prune.candidate import Candidate
from backup_dispatch.jobs.prune.plan import Plan, PolicyOf, Shelf, ShelfOf, plan
from backup_dispatch.jobs.prune.policies import NamedPolicy
from backup_dispatch.jobs.prune.policy import Policy
from backup_dispatch.jobs.prune.reading import candidates

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


def planned(
    context: Any,
    enabled: Backends,
    policies: Sequence[NamedPolicy],
    selection: Selection,
    now: datetime,
) -> Plan:
    """Decide what goes by these policies.

    :param context: an administrator's.
    :param now: with its time zone.
    """
    found = list(candidates(context, selection.volume))
    types: dict[str, str | None] = {}
    if any(one.volume_type for one in policies):
        types = backup_rows.volume_types(context, {one.volume for one in found})
    shelf_of = _shelves(enabled)
    policy_of = _policies(policies, selection, types, shelf_of)
    return plan(found, policy_of, shelf_of, now, _hindrance)


def _policies(
    policies: Sequence[NamedPolicy],
    selection: Selection,
    types: dict[str, str | None],
    shelf_of: ShelfOf,
) -> PolicyOf:
    def policy_of(backup: Candidate) -> tuple[str, Policy] | None:
        shelf = shelf_of(backup.service)
        if not selection.matches(backup, shelf.name if shelf else None):
            return None
        if backup.is_half_deleted:
            return UNFINISHED, Policy()
        for one in policies:
            if one.counts_for(backup.name, types.get(backup.volume)):
                return one.name, one.policy
        return None

    return policy_of


def _shelves(enabled: Backends) -> ShelfOf:
    known: dict[str | None, Shelf | None] = {}

    def shelf_of(service: str | None) -> Shelf | None:
        if service not in known:
            known[service] = _shelf(service, enabled)
        return known[service]

    return shelf_of


def _shelf(service: str | None, enabled: Backends) -> Shelf | None:
    if service is None or records.is_unresolved(service):
        return None
    try:
        backend = records.recorded_owner("", service, enabled)
    except OwnerUnresolved:
        return None
    return Shelf(backend.name, _children_stand_alone(backend))


def _children_stand_alone(backend: Backend) -> bool:
    """Whether the service that runs lets a parent go before its children."""
    if CONF.backup_driver != records.DISPATCHER:
        return False
    told = offered(backend.driver_class, SupportsForget)
    # A property, which only an object can answer, is taken for a no.
    return told is not None and told.children_stand_alone is True


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
