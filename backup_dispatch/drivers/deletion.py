# SPDX-License-Identifier: Apache-2.0
"""Whether a backup is being deleted, or was deleted, while it is read.

What is missing then is not damage. Cinder changes the status of a record before a driver
deletes anything: if the record, read *after* something was found missing, shows no deletion, none
had begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinder import exception, objects
from cinder.objects import fields

from backup_dispatch.errors import VerdictUnknown


def deletion_of(backup: Any) -> str:
    """What the record, read again, says of a deletion, in words; empty if nothing.

    :param backup: as it was when reading began.
    """
    try:
        now = objects.Backup.get_by_id(backup._context.elevated(), backup.id)
    except exception.BackupNotFound:
        return f"backup {backup.id} was deleted meanwhile"
    if now.status == fields.BackupStatus.DELETING:
        return f"backup {backup.id} is being deleted"
    if now.status == fields.BackupStatus.ERROR_DELETING != backup.status:
        return f"somebody tried to delete backup {backup.id} meanwhile"
    return ""


def require_kept(backups: Iterable[Any]) -> None:
    """Require that none of these is being deleted, or was meanwhile.

    :raises VerdictUnknown: one is.
    """
    for backup in backups:
        deletion = deletion_of(backup)
        if deletion:
            raise VerdictUnknown(f"whether it can be restored: {deletion}")
