# SPDX-License-Identifier: Apache-2.0
"""A driver's restore onto something that is no volume, which changes nothing in Cinder."""

from __future__ import annotations

from typing import Any

from cinder.objects import fields


def restore_elsewhere(driver: Any, backup: Any, file: Any) -> None:
    """Let a driver restore a backup to a file of ours.

    Neither its record nor that of its volume is changed. The driver object must not be used for
    anything else afterwards.

    :param file: behaves like the volume's file, and need not read as zeros.
    :raises VolumeNotFound: the driver needs the volume's record, which was purged.
    :raises BackupRestoreCancel: the backup is being deleted, or was.
    :raises Exception: whatever the driver raises.
    """
    # A restore restores the volume's metadata too; here that must not happen.
    driver.put_metadata = lambda *_arguments: None
    # The volume may be deleted by now; drivers ask only for its name and size.
    driver.context = driver.context.elevated(read_deleted="yes")
    driver.restore(_as_if_restoring(backup), backup.volume_id, file, volume_is_new=False)


def _as_if_restoring(backup: Any) -> Any:
    """The backup for a driver that stops when the record is no longer ``restoring``.

    When the driver reads the record again it sees no change but a deletion; it saves nothing.
    """
    copy = backup.obj_clone()
    read_anew = copy.refresh

    def refresh(*arguments: Any, **options: Any) -> None:
        read_anew(*arguments, **options)
        if copy.status not in (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED):
            copy.status = fields.BackupStatus.RESTORING

    copy.status = fields.BackupStatus.RESTORING
    copy.refresh = refresh
    copy.save = lambda *_arguments, **_options: None
    return copy
