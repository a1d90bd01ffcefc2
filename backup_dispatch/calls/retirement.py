# SPDX-License-Identifier: Apache-2.0
"""A backup that a retention policy deletes: its mark, and what becomes of its children.

``backup-dispatch prune`` asks the service for the deletion. The mark is a property of the backup,
saved before anything else, and it goes with the record:

===================  ==================================================================
``requested``        the command has chosen a sound backup; whether the service knows it
                     does not show
``begun``            the service deletes it, and resumes that when it is started again
``requested again``  the same of one whose deletion has failed before: what there is of
``begun again``      its data is not known, and it is no backup any more
===================  ==================================================================
"""

from __future__ import annotations

from typing import Any

from cinder import objects
from cinder.objects import fields
from oslo_log import log as logging

from backup_dispatch import backup_rows
from backup_dispatch.errors import DispatchError, StillAParent

LOG = logging.getLogger(__name__)

MARK = "backup_prune"
"""The property of a backup that ``prune`` has chosen, until it is gone."""

REQUESTED = "requested"
BEGUN = "begun"
REQUESTED_AGAIN = "requested again"
BEGUN_AGAIN = "begun again"

UNTOUCHED = (REQUESTED, BEGUN)
"""With these, a refusal to delete the backup means that all of its data is there."""

_BUSY = (
    fields.BackupStatus.CREATING,
    fields.BackupStatus.DELETING,
    fields.BackupStatus.RESTORING,
)


class NoLongerDeleted(DispatchError):
    """The request to delete a backup came late or twice: its record says something else."""


def mark_of(backup: Any) -> str:
    """The mark that the object was read with; empty if it has none."""
    return str((backup.metadata or {}).get(MARK, ""))


def mark(backup: Any, value: str | None, status: str) -> bool:
    """Save the mark, or take it away; the backup's other properties stay as they are by now.

    :param status: the record must have it.
    :returns: False if it has not, or is gone; nothing was saved.
    """
    context = backup._context.elevated()
    return bool(backup_rows.set_properties(context, backup.id, {MARK: value}, [status]))


def begin(backup: Any) -> None:
    """Note that the service deletes a marked backup.

    :raises NoLongerDeleted: it has deleted it already, which must not be counted a second time.
    """
    value = BEGUN if mark_of(backup) == REQUESTED else BEGUN_AGAIN
    if not mark(backup, value, fields.BackupStatus.DELETING):
        raise NoLongerDeleted(
            f"Backup {backup.id} is not being deleted any more: that is done, or its status was "
            "changed by hand."
        )


def children_of(backup: Any) -> list[Any]:
    """All existing records, of any project and state, that name the backup as their parent."""
    context = backup._context.elevated()
    return list(objects.BackupList.get_all(context, filters={"parent_id": backup.id}))


def refuse_while_child_is_busy(backup: Any, children: list[Any]) -> None:
    """Refuse to take a parent from children with whose record somebody works right now.

    :raises StillAParent: one is being made, restored or deleted.
    """
    for child in children:
        if child.status in _BUSY:
            raise still_a_parent(backup, f"{child.id}, which is {child.status}: wait for it.")


def still_a_parent(backup: Any, child: str) -> StillAParent:
    """The error for a backup that cannot go before its child."""
    return StillAParent(f"Backup {backup.id} is the parent of backup {child}")


def was_refused_as_parent(backup: Any) -> bool:
    """Whether its deletion was refused for a child's sake, before anything was deleted."""
    return str(backup.fail_reason or "").startswith(f"Backup {backup.id} is the parent of backup ")


def hand_children_over(backup: Any) -> None:
    """Give the children their grandparent as parent; without one they become full backups.

    For backends whose children stand alone, once the data of the parent is forgotten. Killed
    before, it is made up for when the deletion is resumed.
    """
    context = backup._context.elevated()
    moved = backup_rows.hand_children_over(context, backup.id, backup.parent_id)
    LOG.info(
        "%d children of backup %s have its parent now: %s.",
        moved,
        backup.id,
        backup.parent_id or "none",
    )
