# SPDX-License-Identifier: Apache-2.0
"""Where one backup goes, given the enabled backends and the records of the cloud.

The driver acts on it, and ``backup-dispatch route`` shows it in advance. Nothing is written here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cinder import context, exception, objects
from oslo_config import cfg
from oslo_db import exception as db_exception

from backup_dispatch import backup_rows, lineage, opts, records, rules
from backup_dispatch.backends.configured import Backends
from backup_dispatch.errors import (
    ChoiceRefused,
    DispatchError,
    OwnerUnresolved,
    ParentRefused,
    reason_of,
)
from backup_dispatch.lineage import DriverOf, OwnerOf
from backup_dispatch.ownership import hint_of
from backup_dispatch.process import this_process
from backup_dispatch.rules import Choice, Refusal, Rule


def request_of(backup: Any) -> rules.Request:
    """The backup's name and properties, and its volume's type, as input for the rules."""
    volume = objects.Volume.get_by_id(backup._context.elevated(), backup.volume_id)
    volume_type = volume.volume_type
    specs = (volume_type.extra_specs if volume_type else None) or {}
    return rules.Request(
        name=backup.display_name,
        wanted=hint_of(backup),
        type_default=specs.get(rules.EXTRA_SPEC),
    )


def choose(request: rules.Request, enabled: Backends, conf: cfg.ConfigOpts) -> Choice:
    """The backend by the rules of :mod:`backup_dispatch.rules`.

    :raises ChoiceRefused: they refuse the backup, or the database cannot be read to decide.
    """
    table = rules.Table(
        enabled=enabled.names,
        primary=enabled.primary.name,
        known=enabled.known,
        refuse_unmatched=conf[opts.UNMATCHED] == "refuse",
    )
    choice = rules.choose(request, table)
    if request.name and isinstance(choice, Choice) and choice.rule is not Rule.PREFIX:
        # No known backend matches the name: it may be a former backend's, known only from records.
        former = this_process().former_names(enabled, lambda: _former_names(enabled))
        choice = rules.choose(request, replace(table, known=table.known | former))
    if isinstance(choice, Refusal):
        raise ChoiceRefused(choice.why)
    return choice


def _former_names(enabled: Backends) -> frozenset[str]:
    try:
        services = backup_rows.services(context.get_admin_context())
    except db_exception.DBError as error:
        raise ChoiceRefused(
            f"Which backends have records cannot be read from the database: {reason_of(error)}. "
            "Try again when it can be."
        ) from error
    return records.former_names(services, enabled)


def with_parent(
    backup: Any, choice: Choice, enabled: Backends, owner_of: OwnerOf, driver_of: DriverOf
) -> tuple[Choice, Any]:
    """The backend and the parent of an incremental, so that both are on the same backend.

    :param backup: its parent is the one that Cinder's API picked.
    :raises ParentRefused: the required backend has no parent for it, or its parent was deleted.
    :raises OwnerUnresolved: it must go to its parent's backend, which is not known.
    :raises DispatchError: that backend is down, and must be asked for a parent of another host.
    """
    chosen = enabled.named(choice.backend)
    assert chosen is not None, choice  # noqa: S101 - it was chosen among the enabled ones
    unresolved: DispatchError | None = None
    owner = None
    try:
        owner = owner_of(backup.parent)
    except exception.BackupNotFound:
        unresolved = ParentRefused(f"The parent, backup {backup.parent_id}, is gone.")
    except OwnerUnresolved as error:
        unresolved = error
    if owner == chosen and lineage.is_in_reach(backup.parent, backup, chosen, driver_of):
        return choice, backup.parent
    parent = lineage.newest_parent(backup, chosen, owner_of, driver_of)
    if parent is not None:
        return choice, parent
    if choice.rule.explicit:
        lineage.refuse_without_parent(backup, chosen)
    if owner is None:
        raise unresolved or AssertionError("no owner, and no reason")
    if not lineage.is_in_reach(backup.parent, backup, owner, driver_of):
        lineage.refuse_out_of_reach(backup.parent, backup, owner)
    because = f"its parent is there, and {chosen.name} has no backup of the volume to build on"
    return Choice(owner.name, Rule.PARENT, because), backup.parent
