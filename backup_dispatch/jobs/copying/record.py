# SPDX-License-Identifier: Apache-2.0
"""The record of a copy, from before its first byte to its end.

Record, quota and the parent's number of incrementals change in one transaction: a process that is
killed leaves them right, whatever it left at the backend.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cinder import exception, objects, quota_utils
from cinder.db import api as db
from cinder.objects import fields
from cinder.quota import QUOTAS
from oslo_config import cfg

from backup_dispatch import backup_rows, records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backup_rows import Filter
from backup_dispatch.drivers import chunked
from backup_dispatch.drivers.custody import cannot_hold
from backup_dispatch.errors import CopyFailed, fitting, reason_of
from backup_dispatch.jobs.copying.keys import delete_key
from backup_dispatch.masking import masked
from backup_dispatch.rules import PROPERTY

CONF = cfg.CONF

COPY_OF = "copy_of"
"""The property of a backup that names the one that it is a copy of, by its ID."""

_OURS = "backup_"
_USERS = ("backup_keep",)
"""Properties of the dispatcher say something of one backup alone, except what users decide."""

_UNDER_WAY = "Being copied by backup-dispatch on host"

HALF = (fields.BackupStatus.CREATING, fields.BackupStatus.DELETING, fields.BackupStatus.ERROR)
"""The states of a copy that is not finished, and of what is being removed."""


def begin(
    context: Any,
    source: Any,
    target: Backend,
    *,
    parent: Any | None,
    project: str,
    snapshot_id: str | None,
) -> Any:
    """A new record for a copy, which is under way from now on, and counted in the quota.

    :param context: an administrator's, for this record alone.
    :param project: the copy's owner.
    :raises CopyFailed: the project's quota has no room for it.
    """
    properties = {
        key: value
        for key, value in (source.metadata or {}).items()
        if not key.startswith(_OURS) or key in _USERS
    }
    copy = objects.Backup(
        context=context,
        user_id=source.user_id,
        project_id=project,
        volume_id=source.volume_id,
        snapshot_id=snapshot_id,
        display_name=source.display_name,
        display_description=source.display_description,
        size=source.size,
        data_timestamp=source.data_timestamp,
        availability_zone=source.availability_zone,
        status=fields.BackupStatus.CREATING,
        service=target.owner,
        fail_reason=_under_way_here(),
        parent_id=parent.id if parent else None,
        parent=parent,
        metadata={**properties, PROPERTY: target.name, COPY_OF: source.id},
    )
    try:
        with backup_rows.transaction(context):
            # First: it may commit what it finds missing in the table of usages.
            reserved = QUOTAS.reserve(
                context, project_id=project, backups=1, backup_gigabytes=source.size
            )
            copy.create()
            _count(copy, 1)
            db.reservation_commit(context, reserved, project_id=project)
    except exception.OverQuota as over:
        try:
            quota_utils.process_reserve_over_quota(
                context, over, resource="backups", size=source.size
            )
        except exception.CinderException as refusal:
            raise CopyFailed(f"Project {project}: {reason_of(refusal)}") from refusal
        raise
    return copy


def finish(copy: Any) -> bool:
    """Make a copy that is complete available; False if it was deleted meanwhile."""
    copy.save()
    return bool(
        copy.conditional_update(
            {"status": fields.BackupStatus.AVAILABLE, "host": CONF.host, "fail_reason": None},
            {"status": fields.BackupStatus.CREATING},
        )
    )


def remove(context: Any, backup: Any, driver: Any) -> None:
    """Delete a backup as Cinder's manager does: its data, its key, its record and its quota.

    Its record says ``deleting`` with no host meanwhile, so that a later run takes it up again.

    :param driver: its owner's.
    :raises CopyFailed: not all of it could be deleted; the record says why.
    """
    try:
        # Somebody may have deleted it meanwhile, and have been faster than its driver.
        backup.refresh()
        if not cannot_hold(type(driver), backup) and records.other_record(driver, backup) is None:
            chunked.delete(driver, backup)
        delete_key(backup, context)
    except exception.BackupNotFound:
        return
    except Exception as error:
        raise CopyFailed(note_failure(backup, reason_of(error))) from error
    with backup_rows.transaction(backup._context):
        # Whoever sets this counts it, and nobody else.
        if not backup.conditional_update(
            {"status": fields.BackupStatus.DELETED}, {"status": fields.BackupStatus.DELETING}
        ):
            return
        reserved = QUOTAS.reserve(
            backup._context,
            project_id=backup.project_id,
            backups=-1,
            backup_gigabytes=-backup.size,
        )
        _count(backup, -1)
        backup.destroy()
        db.reservation_commit(backup._context, reserved, project_id=backup.project_id)


def claim_for_removal(backup: Any, statuses: Iterable[str], *, host: str | None = None) -> bool:
    """Set a record to ``deleting``, with no host; False if it is not as it was.

    :param host: what the record must have; None, as copies have that are not finished: what has a
        host is being deleted by that one's service.
    """
    return bool(
        backup.conditional_update(
            {"status": fields.BackupStatus.DELETING, "host": None},
            {"status": list(statuses), "host": host},
        )
    )


def note_failure(backup: Any, why: str) -> str:
    """Write down that something of a backup is left, and why; Cinder can delete it then.

    :returns: what was written down.
    """
    text = f"{_not_deleted(backup)}: {why}"
    backup.conditional_update(
        {"status": fields.BackupStatus.ERROR, "fail_reason": fitting(masked(text))},
        {"status": list(HALF), "host": None},
    )
    return text


def abandoned(context: Any, backend: Backend, *, shared_locks: bool) -> list[Any]:
    """What earlier runs left half done at a backend: copies, and removed sources.

    The caller has the lock of the backend.

    :param shared_locks: whether all hosts see the same locks; if not, what another one may be
        copying is left alone.
    """
    wanted = (Filter(services=(backend.owner,), status=status) for status in HALF)
    ids = [row.id for one in wanted for row in backup_rows.rows(context, one)]
    return [
        backup
        for backup in backup_rows.objects_of(context, ids)
        if _is_left_half_done(backup)
        and (shared_locks or not is_under_way(backup) or backup.fail_reason == _under_way_here())
    ]


def is_under_way(backup: Any) -> bool:
    """Whether the record is that of a copy that is not finished."""
    return bool(
        backup.status == fields.BackupStatus.CREATING
        and not backup.host
        and COPY_OF in (backup.metadata or {})
        and (backup.fail_reason or "").startswith(_UNDER_WAY)
    )


def _is_left_half_done(backup: Any) -> bool:
    """Whether a run of ours, and nobody else, has left the record like this.

    An import begins with the deleted record of the same ID, which may have no host; and whatever a
    user or a service deletes has one.
    """
    if backup.host:
        return False
    if backup.status == fields.BackupStatus.ERROR:
        ours = (_UNDER_WAY, _not_deleted(backup))
        return (backup.fail_reason or "").startswith(ours)
    return backup.status == fields.BackupStatus.DELETING or is_under_way(backup)


def _under_way_here() -> str:
    return fitting(f"{_UNDER_WAY} {CONF.host}")


def _not_deleted(backup: Any) -> str:
    return f"Backup {backup.id} could not be deleted"


def _count(backup: Any, by: int) -> None:
    if backup.parent_id:
        backup_rows.count_child(backup._context, backup.parent_id, by)
