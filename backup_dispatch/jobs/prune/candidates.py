# SPDX-License-Identifier: Apache-2.0
"""The records that retention is about, read in few queries: a cloud may have very many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from cinder.objects import fields

from backup_dispatch import backup_rows, retirement
from backup_dispatch.backup_rows import Filter

KEEP = "backup_keep"
"""A user's own word, as a property of the backup: ``forever``, or the last day it is kept."""

VERIFIED = "backup_verified"
"""The property that says when the backup was verified, and with what result."""

_FOREVER = "forever"
_DAMAGED = "damaged"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

GOOD = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)
"""Statuses of a backup that can be restored, as far as its record says."""

_FAILED = (fields.BackupStatus.ERROR, fields.BackupStatus.ERROR_DELETING)


class _Row(NamedTuple):
    id: str
    display_name: str | None
    project_id: str | None
    volume_id: str
    created_at: datetime | None
    data_timestamp: datetime | None
    parent_id: str | None
    status: str | None
    service: str | None
    encryption_key_id: str | None
    num_dependent_backups: int | None


@dataclass(frozen=True)
class Candidate:
    """One record.

    :ivar moment: when the volume held the backup's data, in UTC.
    :ivar keep: the value of the user's property :data:`KEEP`.
    :ivar mark: the value of :data:`backup_dispatch.retirement.MARK`; empty if it has none.
    :ivar damaged: whether the last verification found damage.
    :ivar children: how many it has, as counted in its record.
    """

    id: str
    name: str | None
    project: str | None
    volume: str
    moment: datetime
    parent: str | None
    status: str | None
    service: str | None
    encryption_key: str | None = None
    keep: str | None = None
    mark: str = ""
    damaged: bool = False
    children: int = 0

    @property
    def is_good(self) -> bool:
        """Whether it can be restored, as far as its record says."""
        return self.status in GOOD

    @property
    def is_half_deleted(self) -> bool:
        """Whether an earlier run has chosen it, and its deletion has begun or failed."""
        return bool(self.mark) and self.status in (*_FAILED, fields.BackupStatus.DELETING)

    @property
    def is_finished(self) -> bool:
        """Whether it is a backup that has been made, whether that went well or not."""
        going = (fields.BackupStatus.CREATING, fields.BackupStatus.DELETING)
        return self.status not in going and not self.is_half_deleted


def candidates(context: Any, volume: str | None = None) -> Iterator[Candidate]:
    """All records, or those of one volume, by ID."""
    names = (KEEP, VERIFIED, retirement.MARK)
    properties = backup_rows.properties(context, names)
    for row in backup_rows.rows_as(_Row, context, Filter(volume=volume)):
        own = properties.get(row.id, {})
        yield Candidate(
            row.id,
            row.display_name,
            row.project_id,
            row.volume_id,
            _utc(row.data_timestamp or row.created_at),
            row.parent_id or None,
            row.status,
            row.service,
            row.encryption_key_id,
            own.get(KEEP),
            own.get(retirement.MARK, ""),
            own.get(VERIFIED, "").lower().startswith(_DAMAGED),
            row.num_dependent_backups or 0,
        )


def _utc(moment: datetime | None) -> datetime:
    if moment is None:
        # Nothing tells its age: it is taken for the oldest, and never for the newest.
        return datetime.min.replace(tzinfo=timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def users_word(keep: str | None, now: datetime) -> str:
    """Why a backup is kept by its user's word; empty if it is not, or no longer.

    A word that cannot be read keeps the backup.
    """
    if keep is None:
        return ""
    word = keep.strip()
    if word.lower() == _FOREVER:
        return f"{KEEP}={_FOREVER}"
    try:
        until = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", word))
    except ValueError:
        return f"{KEEP}={word[:20]} is no date"
    if _DAY.fullmatch(word):
        until += timedelta(days=1)
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    return f"{KEEP}={word}" if now < until else ""
