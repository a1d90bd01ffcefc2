# SPDX-License-Identifier: Apache-2.0
"""A backup and what it builds on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cinder import exception, objects

from backup_dispatch import backup_rows
from backup_dispatch.backup_rows import Filter


@dataclass(frozen=True)
class Chain:
    """What a backup builds on, as far as there are records.

    :ivar backups: the backup, its parent, the parent's parent and so on.
    :ivar broken: why the last one is not a full backup, in words; empty if it is.
    :ivar circular: whether that is because they go round in circles.
    """

    backups: list[Any]
    broken: str = ""
    circular: bool = False


def chain_of(context: Any, backup: Any) -> Chain:
    """The backup's chain."""
    if not backup.parent_id:
        return Chain([backup])
    found = _of_the_volume(context, backup)
    chain = {backup.id: backup}
    last = backup
    while last.parent_id:
        if last.parent_id in chain:
            why = f"backup {last.parent_id} is its own ancestor, by the records"
            return Chain(list(chain.values()), why, circular=True)
        parent = found.get(last.parent_id) or _recorded(context, last)
        if parent is None:
            why = f"backup {last.id} builds on backup {last.parent_id}, which has no record"
            return Chain(list(chain.values()), why)
        chain[parent.id] = last = parent
    return Chain(list(chain.values()))


def _of_the_volume(context: Any, backup: Any) -> dict[str, Any]:
    """The backup's ancestors by id, as far as they are of its volume, read in few questions."""
    of_volume = Filter(volume=backup.volume_id)
    parents = {row.id: row.parent_id for row in backup_rows.rows(context, of_volume)}
    ids: dict[str, None] = {}
    last = backup.id
    while parent := parents.get(last):
        if parent in ids or parent == backup.id:
            break
        ids[parent] = None
        last = parent
    return {one.id: one for one in backup_rows.objects_of(context, ids)}


def _recorded(context: Any, child: Any) -> Any | None:
    """The parent's record, where it is not among those of the volume: it may have been imported."""
    try:
        return objects.Backup.get_by_id(context, child.parent_id)
    except exception.BackupNotFound:
        return None
