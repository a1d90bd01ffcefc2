# SPDX-License-Identifier: Apache-2.0
"""Parents of incrementals, when several backends hold backups of the same volume.

Cinder's API picks the newest backup of the volume as parent, whatever backend has it. Where that
is not the backend that the incremental goes to, it gets the newest one there instead, so that
chains on several backends can interleave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinder import objects
from cinder.objects import fields

from backup_dispatch.backends.configured import Backend
from backup_dispatch.errors import OwnerUnresolved, ParentRefused, StillAParent

OwnerOf = Callable[[Any], Backend]


def newest_parent(backup: Any, backend: Backend, owner_of: OwnerOf) -> Any | None:
    """The backup that ``backup`` can build on at this backend, or None.

    The rules are the API's: available, of the same volume and project, the latest data; where a
    snapshot is backed up, data older than the snapshot's; where the backend keeps the data on one
    host, the same host.
    """
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
        if owner == backend and _same_host_where_needed(candidate, backup):
            return candidate
    return None


def _can_be_parent(candidate: Any, backup: Any) -> bool:
    if candidate.id == backup.id or candidate.status != fields.BackupStatus.AVAILABLE:
        return False
    if candidate.data_timestamp is None:
        return False
    # The data's time of a snapshot's backup is the time of the snapshot.
    return not backup.snapshot_id or candidate.data_timestamp < backup.data_timestamp


def _same_host_where_needed(candidate: Any, backup: Any) -> bool:
    # The API's own rule, and its own way to tell: what is on a host's disk says posix.
    return "posix" not in candidate.service or candidate.host == backup.host


def adopt_parent(backup: Any, parent: Any) -> None:
    """Make ``parent`` the parent, both in the record and in the object (Ceph reads the latter).

    :raises ParentRefused: it is not available any more; someone may be deleting it.
    """
    backup.parent_id = parent.id
    backup.parent = parent
    backup.save()
    # A deletion looks for children after it has set the status: one of us two sees the other.
    with parent.as_read_deleted():
        parent.refresh()
    if parent.status != fields.BackupStatus.AVAILABLE:
        raise ParentRefused(
            f"Backup {parent.id}, the newest one to build on, is {parent.status} now. "
            "Try again, or make a full backup."
        )


def refuse_without_parent(backup: Any, backend: Backend) -> None:
    """Say that there is nothing to build on.

    :raises ParentRefused: always.
    """
    raise ParentRefused(
        f"Backend {backend.name} has no available backup of volume {backup.volume_id} that an "
        "incremental could build on from this host. Make a full backup there first."
    )


def refuse_while_parent(backup: Any) -> None:
    """A parent must outlive its children.

    Cinder's API looks for children before it sets the status to deleting; an incremental may have
    been given this parent since.

    :raises StillAParent: a backup that is not deleted names it as parent.
    """
    children = objects.BackupList.get_all(
        backup._context.elevated(), filters={"parent_id": backup.id}
    )
    for child in children:
        raise StillAParent(
            f"Backup {backup.id} is the parent of backup {child.id}: delete that one first."
        )
