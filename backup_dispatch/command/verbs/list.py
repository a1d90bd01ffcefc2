# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch list``: how much each backend holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cinder.objects import fields
from cliff.lister import Lister

from backup_dispatch import records
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Day, short_name
from backup_dispatch.errors import OwnerUnresolved

COLUMNS = ("Backend", "Backups", "GB", "Chains", "Oldest", "Newest", "In error")

REFUSED = "(refused, on none)"
UNKNOWN = "(not known yet)"

_FAILED = (fields.BackupStatus.ERROR, fields.BackupStatus.ERROR_DELETING)


@dataclass
class Held:
    """What one backend holds, by the records.

    :ivar gb: of the volumes that were backed up, each time anew; not of what is stored.
    :ivar chains: full backups, each with its incrementals.
    """

    backups: int = 0
    gb: int = 0
    chains: int = 0
    failed: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def count(self, backup: Any) -> None:
        """Add one record."""
        self.backups += 1
        self.gb += backup.size or 0
        self.chains += not backup.parent_id
        self.failed += backup.status in _FAILED
        created = backup.created_at
        if created is not None:
            self.oldest = min(self.oldest or created, created)
            self.newest = max(self.newest or created, created)


class ListBackends(CloudCommand, Lister):
    """List what each backend holds, by Cinder's records.

    The records of all projects count; no backend is asked. GB are those of the volumes at the time
    of each backup. Records that name a driver that is not enabled, or none, have lines of their
    own.
    """

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Count the records."""
        held = {name: Held() for name in self.cloud.enabled.names}
        for backup in self.cloud.backups():
            held.setdefault(self._holder_of(backup), Held()).count(backup)
        rows = [
            (
                name,
                one.backups,
                one.gb,
                one.chains,
                Day(one.oldest),
                Day(one.newest),
                one.failed,
            )
            for name, one in held.items()
        ]
        return COLUMNS, rows

    def _holder_of(self, backup: Any) -> str:
        if not backup.service:
            # The dispatcher takes the driver out of a record whose backup it refused.
            return REFUSED
        if records.is_unresolved(backup.service):
            return UNKNOWN
        try:
            return self.cloud.recorded_owner(backup).name
        except OwnerUnresolved:
            path, mark, name = backup.service.partition("@")
            return f"({name if mark else short_name(path)}, not enabled)"
