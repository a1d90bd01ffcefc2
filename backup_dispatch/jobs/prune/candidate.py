# SPDX-License-Identifier: Apache-2.0
"""A backup as retention sees it, and its user's own word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

KEEP = "backup_keep"
"""The property of a backup by which its user keeps it: ``forever``, or the last day, YYYY-MM-DD."""

AVAILABLE, RESTORING, CREATING, DELETING = "available", "restoring", "creating", "deleting"
"""Cinder's statuses of a backup."""

GOOD = (AVAILABLE, RESTORING)
"""Statuses of a backup that can be restored, as far as its record says."""

BUSY = (CREATING, DELETING, RESTORING)
"""Statuses of a backup that somebody works on."""

FAILED = ("error", "error_deleting")

NEVER = datetime.min.replace(tzinfo=timezone.utc)
"""The moment of a backup whose age nothing tells: it is taken for the oldest."""

_FOREVER = "forever"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Candidate:
    """One record.

    :ivar moment: when the volume held the backup's data, in UTC.
    :ivar keep: the value of the user's property :data:`KEEP`.
    :ivar mark: the value of :data:`backup_dispatch.calls.retirement.MARK`; empty if it has none.
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
    def has_age(self) -> bool:
        """Whether its record tells when it was made."""
        return self.moment > NEVER

    @property
    def is_good(self) -> bool:
        """Whether it can be restored, as far as its record says."""
        return self.status in GOOD

    @property
    def is_half_deleted(self) -> bool:
        """Whether an earlier run has chosen it, and its deletion has begun or failed."""
        return bool(self.mark) and self.status in (*FAILED, DELETING)

    @property
    def is_finished(self) -> bool:
        """Whether it is a backup that has been made, whether that went well or not."""
        return self.status not in (CREATING, DELETING) and not self.is_half_deleted


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
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    if _DAY.fullmatch(word):
        # Of the last day that there is, no other one begins at the end.
        now -= timedelta(days=1)
    return f"{KEEP}={word}" if now < until else ""
