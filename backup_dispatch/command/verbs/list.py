# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch list``: how much each backend holds."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cliff.lister import Lister

from backup_dispatch import records
from backup_dispatch.command.backup_rows import Tally
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Day, short_name

COLUMNS = ("Backend", "Backups", "GB", "Chains", "Oldest", "Newest", "In error")

REFUSED = "(refused, on none)"
UNKNOWN = "(not known yet)"


@dataclass
class Held:
    """What one backend holds, by the records."""

    backups: int = 0
    gb: int = 0
    chains: int = 0
    failed: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, more: Tally) -> None:
        """Count these records too."""
        self.backups += more.backups
        self.gb += more.gb
        self.chains += more.chains
        self.failed += more.failed
        times = (self.oldest, more.oldest, self.newest, more.newest)
        known = [one for one in times if one is not None]
        self.oldest, self.newest = min(known, default=None), max(known, default=None)


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
        for tally in self.cloud.tallies():
            held.setdefault(self._holder_of(tally.service), Held()).add(tally)
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

    def _holder_of(self, service: str | None) -> str:
        if not service:
            # The dispatcher takes the driver out of a record whose backup it refused.
            return REFUSED
        if records.is_unresolved(service):
            return UNKNOWN
        owner = self.cloud.owner_by(service)
        if owner is not None:
            return owner.name
        path, mark, name = service.partition("@")
        return f"({name if mark else short_name(path)}, not enabled)"
