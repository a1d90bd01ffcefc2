# SPDX-License-Identifier: Apache-2.0
"""A backup and what it builds on."""

from __future__ import annotations

from typing import Any

from cinder import exception, objects

from backup_dispatch.command.outcome import refuse


def chain_of(context: Any, backup: Any) -> list[Any]:
    """The backup, its parent, the parent's parent and so on; the full one comes last.

    :raises CommandEnded: one of them has no record any more, or they go round in circles.
    """
    chain = [backup]
    while chain[-1].parent_id:
        last = chain[-1]
        if last.parent_id in {one.id for one in chain}:
            refuse(f"Backup {last.id} is its own ancestor, by its record.")
        try:
            chain.append(objects.Backup.get_by_id(context, last.parent_id))
        except exception.BackupNotFound:
            refuse(f"Backup {last.id} builds on backup {last.parent_id}, which has no record.")
    return chain
