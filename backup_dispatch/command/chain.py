# SPDX-License-Identifier: Apache-2.0
"""A backup and what it builds on."""

from __future__ import annotations

from typing import Any

from cinder import exception, objects

from backup_dispatch.command import backup_rows
from backup_dispatch.command.backup_rows import Filter
from backup_dispatch.command.outcome import refuse


def chain_of(context: Any, backup: Any) -> list[Any]:
    """The backup, its parent, the parent's parent and so on; the full one comes last.

    :raises CommandEnded: one of them has no record any more, or they go round in circles.
    """
    if not backup.parent_id:
        return [backup]
    of_volume = Filter(volume=backup.volume_id)
    parents = {row.id: row.parent_id for row in backup_rows.rows(context, of_volume)}
    ids: dict[str, None] = {}
    last = backup.id
    while parent := parents.get(last):
        if parent in ids or parent == backup.id:
            break
        ids[parent] = None
        last = parent
    found = {one.id: one for one in backup_rows.objects_of(context, ids)}
    chain = {backup.id: backup}
    last = backup
    while last.parent_id:
        if last.parent_id in chain:
            refuse(f"Backup {last.id} is its own ancestor, by its record.")
        last = found.get(last.parent_id) or _recorded(context, last)
        chain[last.id] = last
    return list(chain.values())


def _recorded(context: Any, child: Any) -> Any:
    """The parent's record, where it is not among those of the volume: it may have been imported.

    :raises CommandEnded: there is none.
    """
    try:
        return objects.Backup.get_by_id(context, child.parent_id)
    except exception.BackupNotFound:
        refuse(f"Backup {child.id} builds on backup {child.parent_id}, which has no record.")
