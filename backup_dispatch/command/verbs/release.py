# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch release``: what Cinder would disown if the dispatcher were switched off."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cliff.lister import Lister

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.backup_rows import Filter
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import CommandEnded, misused
from backup_dispatch.command.vanilla import would_own
from backup_dispatch.drivers.custody import holds

COLUMNS = ("ID", "Backend", "Why", "Record says")
REWRITTEN = ("ID", "Backend", "Record says", "Record said")


class Release(CloudCommand, Lister):
    """List the records that Cinder would disown without the dispatcher, or rewrite them.

    Vanilla Cinder has one backup driver and owns the records that name its class. With --rewrite,
    the records of one backend that name the backend or the dispatcher get to name only the class.
    Do that with cinder-backup stopped, right before you switch it over: until then, the dispatcher
    takes such records for those of the first backend of the class.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--driver",
            metavar="CLASS",
            help="what backup_driver will be then: a backend's name or a class path; "
            "else the driver of the primary, or of the backend after --rewrite",
        )
        parser.add_argument(
            "--rewrite", metavar="BACKEND", help="rewrite the records of this backend"
        )
        parser.add_argument("--yes", action="store_true", help="rewrite without asking")
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """List, and rewrite what shall be."""
        # With class paths no table fits a terminal.
        brief = parsed_args.formatter == "table" and not parsed_args.columns
        if parsed_args.rewrite:
            rows = self._rewrite(parsed_args)
            return (REWRITTEN[:2], [row[:2] for row in rows]) if brief else (REWRITTEN, rows)
        rows = []
        driver = self._driver(parsed_args.driver, self.cloud.enabled.primary)
        tallies = self.cloud.tallies()
        reasons = {
            one.service: self._reason(one.service, driver)
            for one in tallies
            if not would_own(driver, one.service)
        }
        for row in self.cloud.rows(Filter(services=reasons)):
            name, why = reasons[row.service]
            rows.append((row.id, name, why, row.service))
        total = sum(one.backups for one in tallies)
        self.say(
            f"With backup_driver = {driver} Cinder would disown {len(rows)} of {total} records."
        )
        return (COLUMNS[:3], [row[:3] for row in rows]) if brief else (COLUMNS, rows)

    def _driver(self, named: str | None, otherwise: Backend) -> str:
        if named is None:
            return otherwise.class_path
        backend = self.cloud.enabled.named(named)
        if backend is not None:
            return backend.class_path
        if "." not in named:
            misused(f"--driver {named}: there is no such backend, and that is no class path.")
        return named

    def _reason(self, service: str | None, driver: str) -> tuple[str, str]:
        """The backend's name and why records with this ``service`` would be disowned."""
        if records.is_unresolved(service):
            return "", "not known yet"
        owner = self.cloud.owner_by(service)
        if owner is None:
            return "", "not enabled"
        if owner.class_path != driver:
            return owner.name, "another driver"
        return owner.name, "names the backend"

    # Rewriting

    def _rewrite(self, parsed_args: argparse.Namespace) -> list[Sequence[Any]]:
        backend = self.cloud.backend(parsed_args.rewrite)
        if self._driver(parsed_args.driver, backend) != backend.class_path:
            misused(f"--driver {parsed_args.driver} can never own the data of {backend.name}.")
        found = list(self._to_rewrite(backend))
        if not found:
            self.say(f"No record of backend {backend.name} needs to be rewritten.")
            return []
        if not parsed_args.yes:
            self._confirm(len(found), backend)
        rows: list[Sequence[Any]] = []
        for backup in found:
            before = backup.service
            backup.service = backend.class_path
            backup.save()
            rows.append((backup.id, backend.name, backup.service, before))
        self.say(f"{len(rows)} records rewritten.")
        return rows

    def _to_rewrite(self, backend: Backend) -> Iterator[Any]:
        wanted = [
            one.service
            for one in self.cloud.tallies()
            if not would_own(backend.class_path, one.service)
            and (records.is_unresolved(one.service) or self.cloud.owner_by(one.service) == backend)
        ]
        for backup in self.cloud.backups(Filter(services=wanted)):
            if not records.is_unresolved(backup.service) or holds(
                self.cloud.driver(backend, backup), backup
            ):
                yield backup

    def _confirm(self, count: int, backend: Backend) -> None:
        if not self.app.stdin.isatty():
            misused(f"{count} records would be rewritten: confirm with --yes.")
        self.app.stderr.write(
            f"Is cinder-backup stopped, and shall {count} records of backend {backend.name} name "
            f"only {backend.class_path}? [y/N] "
        )
        self.app.stderr.flush()
        if self.app.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandEnded("Nothing was rewritten.")
