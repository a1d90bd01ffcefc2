# SPDX-License-Identifier: Apache-2.0
"""A backup and its ancestors, when several backends have backups of the same volume.

Cinder's API picks the newest backup of the volume as parent, on whichever backend. If that
is not the backend that the incremental goes to, the newest one there becomes the parent instead, so
that chains on several backends can interleave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cinder import exception, objects
from cinder.objects import fields

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backup_rows import Filter
from backup_dispatch.drivers.custody import holds
from backup_dispatch.drivers.families import keeps_folders
from backup_dispatch.errors import OwnerUnresolved, ParentRefused, StillAParent

OwnerOf = Callable[[Any], Backend]
DriverOf = Callable[[Backend], Any]


def newest_parent(
    backup: Any, backend: Backend, owner_of: OwnerOf, driver_of: DriverOf
) -> Any | None:
    """The backup that ``backup`` can build on at this backend, or None.

    The rules are the API's: available, of the same volume and project, the latest data; for a
    snapshot's backup, data older than the snapshot's. If the backend keeps files, this host must
    be able to read them.

    :raises ParentRefused: there is one, but only another host can read it.
    """
    out_of_reach = None
    candidates = objects.BackupList.get_all_by_volume(
        backup._context.elevated(),
        backup.volume_id,
        backup.project_id,
        filters={"project_id": backup.project_id},
    )
    for candidate in sorted(
        (one for one in candidates if _can_be_parent(one, backup)),
        key=lambda one: one.data_timestamp,
        reverse=True,
    ):
        try:
            owner = owner_of(candidate)
        except OwnerUnresolved:
            continue
        if owner != backend:
            continue
        if is_in_reach(candidate, backup, backend, driver_of):
            return candidate
        out_of_reach = out_of_reach or candidate
    if out_of_reach is not None:
        refuse_out_of_reach(out_of_reach, backup, backend)
    return None


def is_in_reach(parent: Any, backup: Any, backend: Backend, driver_of: DriverOf) -> bool:
    """Whether the host that makes ``backup`` can read the parent's data at this backend.

    A folder may be local or shared: on another host than the parent's the driver checks.

    :raises DispatchError: the backend is down.
    """
    if not keeps_folders(backend.driver_class) or parent.host == backup.host:
        return True
    return holds(driver_of(backend), parent) is True


def refuse_out_of_reach(parent: Any, backup: Any, backend: Backend) -> None:
    """Refuse the incremental, and name the host where it would work.

    :raises ParentRefused: always.
    """
    raise ParentRefused(
        f"Backend {backend.name}: backup {parent.id}, the newest to build on, was made on host "
        f"{parent.host}, and host {backup.host} cannot read it. It would work on "
        f"{parent.host}; here make a full backup, or let both hosts share the folder."
    )


def _can_be_parent(candidate: Any, backup: Any) -> bool:
    if candidate.id == backup.id or candidate.status != fields.BackupStatus.AVAILABLE:
        return False
    if candidate.data_timestamp is None:
        return False
    # The data timestamp of a snapshot's backup is the time of the snapshot.
    return not backup.snapshot_id or candidate.data_timestamp < backup.data_timestamp


def adopt_parent(backup: Any, parent: Any) -> None:
    """Make ``parent`` the parent, both in the record and in the object (Ceph reads the latter).

    :raises ParentRefused: it is no longer available, for example because it is being deleted.
    """
    backup.parent_id = parent.id
    backup.parent = parent
    backup.save()
    # A deletion checks for children after it has set the status: one of the two sees the other.
    with parent.as_read_deleted():
        parent.refresh()
    if parent.status != fields.BackupStatus.AVAILABLE:
        raise ParentRefused(
            f"Backup {parent.id}, the newest one to build on, is {parent.status} now. "
            "Try again, or make a full backup."
        )


def refuse_without_parent(backup: Any, backend: Backend) -> None:
    """Refuse the incremental, because there is nothing to build on.

    :raises ParentRefused: always.
    """
    raise ParentRefused(
        f"Backend {backend.name} has no available backup of volume {backup.volume_id} that an "
        "incremental could build on. Make a full backup there first."
    )


def refuse_while_parent(backup: Any) -> None:
    """Refuse to delete a parent before its children.

    Cinder's API checks for children before it sets the status to deleting; an incremental may have
    got this parent since.

    :raises StillAParent: a backup that is not deleted names it as parent.
    """
    children = objects.BackupList.get_all(
        backup._context.elevated(), filters={"parent_id": backup.id}
    )
    for child in children:
        if _failed_before_its_parent_was_used(child):
            records.disown(child)
            continue
        raise StillAParent(
            f"Backup {backup.id} is the parent of backup {child.id}: delete that one first."
        )


def _failed_before_its_parent_was_used(child: Any) -> bool:
    if child.status != fields.BackupStatus.ERROR or child.container or not child.fail_reason:
        return False
    return records.shows_nothing_written(child)


# A backup's ancestors


@dataclass(frozen=True)
class Chain:
    """A backup and its ancestors, as far as there are records.

    :ivar backups: the backup, its parent, the parent's parent and so on.
    :ivar broken: why the last one is not a full backup, in words; empty if it is.
    :ivar circular: whether that is because the parents form a cycle.
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
    """The backup's ancestors by ID, as far as they are of its volume, read in few queries."""
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
    """The parent's record, if it is not among those of the volume: it may have been imported."""
    try:
        return objects.Backup.get_by_id(context, child.parent_id)
    except exception.BackupNotFound:
        return None
