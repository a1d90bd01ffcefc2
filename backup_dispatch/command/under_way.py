# SPDX-License-Identifier: Apache-2.0
"""An operation in progress, as its record and its service's heartbeat show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cinder import objects
from cinder.objects import fields
from oslo_config import cfg
from oslo_utils import timeutils

from backup_dispatch import opts
from backup_dispatch.command.durations import in_words
from backup_dispatch.jobs.copying import record

_UNDER_WAY = (
    fields.BackupStatus.CREATING,
    fields.BackupStatus.RESTORING,
    fields.BackupStatus.DELETING,
)
_BINARY = "cinder-backup"


def is_under_way(backup: Any) -> bool:
    """Whether the record shows an operation in progress."""
    return backup.status in _UNDER_WAY


def waits(context: Any, backup: Any, backend: str | None) -> str | None:
    """What the operation waits for, since when, and whether its service is up.

    :param backend: the owner's name; None if it is not known.
    :returns: None if no operation is in progress.
    """
    if not is_under_way(backup):
        return None
    since = backup.created_at
    if backup.status != fields.BackupStatus.CREATING:
        since = backup.updated_at or since
    return (
        f"{backup.status} since {since:%Y-%m-%d %H:%M} UTC ({_ago(since)}), at "
        f"{f'backend {backend}' if backend else 'no backend yet'}, by {_service(context, backup)}"
        f"{_limit()}"
    )


def _ago(since: datetime) -> str:
    now = timeutils.utcnow(with_timezone=since.tzinfo is not None)
    return in_words((now - since).total_seconds())


def _service(context: Any, backup: Any) -> str:
    if record.is_under_way(backup):
        return "backup-dispatch copy"
    if not backup.host:
        return "no host yet"
    named = f"{_BINARY} on {backup.host}"
    found = objects.ServiceList.get_all(context, {"host": backup.host, "binary": _BINARY})
    for service in found:
        if service.is_up:
            return f"{named}, which is up; its log says what was seen last"
        beat = service.updated_at
        last = f"{beat:%Y-%m-%d %H:%M} UTC" if beat else "never"
        return f"{named}, which is DOWN (last heartbeat {last}) and resets it when it starts again"
    return f"{named}, which has no record: nobody works at it"


def _limit() -> str:
    timeout = cfg.CONF[opts.STALL_TIMEOUT]
    if not timeout:
        return ""
    return f"; it is ended when nothing that can be seen has moved for {timeout} seconds"
