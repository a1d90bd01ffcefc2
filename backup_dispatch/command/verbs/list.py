# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch list``: how much each backend holds, or which backups."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cinder.objects import fields
from cliff.lister import Lister
from oslo_utils import timeutils, uuidutils

from backup_dispatch import records
from backup_dispatch.backup_rows import Filter, Row, Tally
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.cloud import SHORT_ID
from backup_dispatch.command.columns import Day, Minute, fitted, name_in
from backup_dispatch.command.durations import age
from backup_dispatch.command.outcome import misused
from backup_dispatch.jobs.remembered import NEVER as UNVERIFIED
from backup_dispatch.jobs.remembered import STATUSES, Past, pasts

COLUMNS = ("Backend", "Backups", "GB", "Chains", "Oldest", "Newest", "In error")

BACKUPS = (
    "ID", "Name", "Backend", "Project", "Volume", "GB", "Created", "Parent", "State",
    "Verified", "Verdict",
)  # fmt: skip

VERIFIED = "Verified"
NEVER = "never"

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


class ListBackups(CloudCommand, Lister):
    """Count the backups of each backend, or list some of them.

    By Cinder's records, of all projects; no backend is asked. With any of the options below the
    backups are listed one by one, the oldest first.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--backend", metavar="B", help="those of this backend, also of one that is not enabled"
        )
        parser.add_argument("--project", metavar="ID", help="those of this project")
        parser.add_argument("--volume", metavar="ID", help="those of this volume")
        parser.add_argument(
            "--older-than", type=age, metavar="AGE", help="made longer ago than 12h, 30d, 8w, …"
        )
        parser.add_argument(
            "--status", type=_status, metavar="S", help="those in this state: available, error, …"
        )
        parser.add_argument(
            "--unverified-since",
            type=age,
            metavar="AGE",
            help="finished ones that verify --all has not found sound in the last 30d, 8w, …",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Count the records, or list them."""
        wanted = self._wanted(parsed_args)
        if wanted != Filter() or parsed_args.unverified_since is not None:
            return self._backups(wanted, parsed_args)
        held = {name: Held() for name in self.cloud.enabled.names}
        for tally in self.cloud.tallies():
            held.setdefault(self._holder_of(tally.service), Held()).add(tally)
            if tally.service and self.cloud.names_no_enabled(tally.service):
                old = name_in(tally.service)
                self.say(f"{old} is not enabled. If it was renamed: {records.remedy(old)}.")
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
        if self.cloud.names_no_enabled(service):
            return f"({name_in(service)}, not enabled)"
        owner = self.cloud.owner_by(service)
        return owner.name if owner is not None else UNKNOWN

    # One by one

    def _wanted(self, parsed_args: argparse.Namespace) -> Filter:
        volume = parsed_args.volume
        if volume is not None and not uuidutils.is_uuid_like(volume):
            misused(f"--volume {volume}: give the volume's id.")
        older_than = parsed_args.older_than
        return Filter(
            services=self._services_of(parsed_args.backend),
            project=parsed_args.project,
            volume=volume,
            status=parsed_args.status,
            before=timeutils.utcnow() - older_than if older_than is not None else None,
        )

    def _services_of(self, backend: str | None) -> tuple[str, ...] | None:
        """What records of the backend say; None if it does not matter.

        :raises CommandEnded: there is no such backend, and no record names one.
        """
        if backend is None:
            return None
        tallies = self.cloud.tallies()
        enabled = self.cloud.enabled.named(backend)
        found = []
        for service in (one.service for one in tallies):
            if not service or records.is_unresolved(service):
                continue
            owner = self.cloud.owner_by(service)
            if owner == enabled if owner else name_in(service).lower() == backend.lower():
                found.append(service)
        if enabled is None and not found:
            names = ", ".join(self.cloud.enabled.names)
            misused(f"There is no backend {backend}, and no record names one; enabled are {names}.")
        unknown = sum(
            one.backups for one in tallies if one.service and records.is_unresolved(one.service)
        )
        if unknown:
            self.say(f"Of {unknown} other records it is not known yet which backend has the data.")
        return tuple(found)

    def _backups(
        self, wanted: Filter, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        now, since = timeutils.utcnow(), parsed_args.unverified_since
        known = pasts(self.cloud.context, now)
        found = sorted(self.cloud.rows(wanted), key=lambda row: (str(row.created_at), row.id))
        if since is not None:
            found = [
                one
                for one in found
                if one.status in STATUSES and one.service
                if not known.get(one.id, UNVERIFIED).is_sound_since(now - since)
            ]
        if parsed_args.formatter == "table" and not parsed_args.columns:
            verified = known if since is not None else None
            return self._brief(found, verified, with_backend=wanted.services is None)
        return BACKUPS, [self._row(one, known.get(one.id, UNVERIFIED)) for one in found]

    def _row(self, one: Row, past: Past) -> tuple[Any, ...]:
        return (
            one.id,
            one.display_name,
            self._holder_of(one.service),
            one.project_id,
            one.volume_id,
            one.size,
            Day(one.created_at),
            one.parent_id,
            one.status,
            Minute(past.last.since if past.last else None),
            past.last.verdict.value if past.last else None,
        )

    def _brief(
        self, found: Sequence[Row], verified: Mapping[str, Past] | None, *, with_backend: bool
    ) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """What fits a terminal: ids by their beginning; the project if all are of one backend.

        :param verified: in place of the parent, when each was verified; None: the parent.
        """
        where = "Backend" if with_backend else "Project"
        last = "Parent" if verified is None else VERIFIED
        columns = ("ID", "Name", where, "GB", "Created", last, "State")
        rows = [
            (
                one.id[:SHORT_ID],
                one.display_name or "",
                self._holder_of(one.service) if with_backend else (one.project_id or "")[:SHORT_ID],
                str(one.size or ""),
                Day(one.created_at).human_readable(),
                (one.parent_id or "")[:SHORT_ID]
                if verified is None
                else _verified(verified.get(one.id, UNVERIFIED)),
                one.status or "",
            )
            for one in found
        ]
        return columns, fitted(columns, rows, columns.index("Name"))


def _verified(past: Past) -> str:
    if past.last is None:
        return NEVER
    return past.last.verdict.value if past.is_damaged else f"{past.last.since:%Y-%m-%d}"


def _status(text: str) -> str:
    known = fields.BackupStatus.ALL
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text!r} is no state of a backup: {', '.join(known)}")
    return text
