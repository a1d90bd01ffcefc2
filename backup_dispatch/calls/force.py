# SPDX-License-Identifier: Apache-2.0
"""Force-deleting a backup while it is being created.

Cinder asks the driver once, for all backups, whether it supports this. A chunked driver notices
that its backup is being deleted and stops; Ceph's does not, and would go on writing.
"""

from __future__ import annotations

from typing import Any

from cinder import exception, objects
from cinder.objects import fields

from backup_dispatch.errors import ForceDeleteRefused
from backup_dispatch.process import this_process

_BEING_MADE = "backing-up"


def refuse_while_running(backup: Any, driver: Any, backend: str) -> None:
    """Refuse to delete a backup that a backend without support for it is writing.

    :raises ForceDeleteRefused: the backup is being created, here or in another process.
    """
    if driver.support_force_delete:
        return
    if this_process().is_stalled(backup.id):
        raise ForceDeleteRefused(
            f"Backup {backup.id} was given up, but a call of backend {backend} still hangs and "
            "could write on. Delete it when the backend answers again, or after a restart of "
            "cinder-backup."
        )
    if this_process().is_running(backup.id) or _is_running_elsewhere(backup):
        raise ForceDeleteRefused(
            f"Backup {backup.id} is still being made, and backend {backend} cannot delete it "
            "meanwhile. Delete it when that has ended."
        )


def _is_running_elsewhere(backup: Any) -> bool:
    """Whether, according to the records, another process is creating this backup.

    Cinder creates one backup at a time of a volume or snapshot, and sets its status meanwhile. If
    that is set and no other backup is being created, it belongs to this one.
    """
    if backup.object_count or not _source_is_marked(backup):
        return False
    others = objects.BackupList.get_all(
        backup._context.elevated(),
        filters={"volume_id": backup.volume_id, "status": fields.BackupStatus.CREATING},
    )
    return not any(other.snapshot_id == backup.snapshot_id for other in others)


def _source_is_marked(backup: Any) -> bool:
    context = backup._context.elevated()
    try:
        if backup.snapshot_id:
            return bool(
                objects.Snapshot.get_by_id(context, backup.snapshot_id).status == _BEING_MADE
            )
        return bool(objects.Volume.get_by_id(context, backup.volume_id).status == _BEING_MADE)
    except (exception.VolumeNotFound, exception.SnapshotNotFound):
        return False
