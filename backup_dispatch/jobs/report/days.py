# SPDX-License-Identifier: Apache-2.0
"""What happened day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = 26
"""Half a year fits a phone's width."""


@dataclass
class Day:
    """What happened on one day, in UTC.

    :ivar made: good backups.
    :ivar failed: failed ones.
    :ivar gib: sizes of the volumes of the good ones.
    """

    made: int = 0
    failed: int = 0
    gib: int = 0

    def told(self, day: date) -> str:
        """In words."""
        if not self.made and not self.failed:
            return f"{day.isoformat()}: none"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{day.isoformat()}: {self.made} made ({self.gib} GiB of volumes){failed}"


def first_day(today: date, weeks: int = WEEKS) -> date:
    """The Monday that a calendar begins with."""
    return today - timedelta(days=today.weekday(), weeks=weeks - 1)
