# SPDX-License-Identifier: Apache-2.0
"""The records that retention is about, read in few queries: a cloud may have very many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any, NamedTuple

from backup_dispatch import backup_rows
from backup_dispatch.backup_rows import Filter
from backup_dispatch.calls import retirement
from backup_dispatch.jobs.prune.candidate import KEEP, NEVER, Candidate

VERIFIED = "backup_verified"
"""The property that says with what result the backup was verified, and when."""

_DAMAGED = "damaged"


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
        return NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
