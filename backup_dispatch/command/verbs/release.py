# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch release``: what Cinder would disown if the dispatcher were switched off."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from cinder import objects
from cinder.common import constants
from cliff.lister import Lister
from oslo_config import cfg

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend
from backup_dispatch.backends.loading import load_entry
from backup_dispatch.backup_rows import Filter
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import NO, NOT_KNOWN, CommandEnded, misused, refuse, worse
from backup_dispatch.errors import listed

CONF = cfg.CONF

COLUMNS = ("ID", "Backend", "Why", "Record says")
REWRITTEN = ("ID", "Backend", "Result", "Record says", "Record said", "Reason")

DONE_WITH = "rewritten"


class Release(CloudCommand, Lister):
    """List or rewrite what Cinder would disown without the dispatcher.

    Vanilla Cinder has one backup driver and owns the records that name its class. With --rewrite,
    records that name that backend or the dispatcher are rewritten to name only the class.
    Do that with cinder-backup stopped, right before the switch: until then, the dispatcher takes
    such records for those of the first backend of the class. Exit 3 if it is not known of a
    record whether the backend has its data; it is listed, and left as it is.
    """

    known_columns = tuple(dict.fromkeys((*COLUMNS, *REWRITTEN)))

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--driver",
            metavar="CLASS",
            help="what backup_driver will be then: a backend's name or a driver's class path; "
            "default: the driver of the primary, or of the backend given to --rewrite",
        )
        parser.add_argument(
            "--rewrite", metavar="BACKEND", help="rewrite the records of this backend"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        parser.add_argument(
            "--while-running",
            action="store_true",
            help="rewrite even if a cinder-backup service is up",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """List, and rewrite what shall be."""
        # With class paths no table fits a terminal.
        brief = parsed_args.formatter == "table" and not parsed_args.columns
        if parsed_args.rewrite:
            rows = self._rewrite(parsed_args)
            return (REWRITTEN[:3], [row[:3] for row in rows]) if brief else (REWRITTEN, rows)
        rows = []
        driver = self._driver(parsed_args.driver, self.cloud.enabled.primary)
        tallies = self.cloud.tallies()
        reasons = {
            one.service: self._reason(one.service, driver)
            for one in tallies
            if not records.would_own(driver, one.service)
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
        _, driver_class = load_entry(named, "--driver")
        return f"{driver_class.__module__}.{driver_class.__qualname__}"

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
        if not parsed_args.while_running:
            self._require_stopped()
        found, unknown = self._to_rewrite(backend)
        rows: list[Sequence[Any]] = []
        if found:
            if not parsed_args.yes:
                self._confirm(len(found), backend)
            rows = [self._rewritten(backup, backend) for backup in found]
            self.say(f"{sum(row[2] == DONE_WITH for row in rows)} records rewritten.")
        elif not unknown:
            self.say(f"No record of backend {backend.name} needs to be rewritten.")
        for reason, count in Counter(reason for _, reason in unknown).items():
            self.exit_code = worse(self.exit_code, NOT_KNOWN)
            whose = f"whether {backend.name} has the data of {count} records"
            self.say(f"It is not known {whose}, which were left as they are: {reason}")
        return rows + [
            (one.id, backend.name, "not known", one.service, one.service, reason)
            for one, reason in unknown
        ]

    def _require_stopped(self) -> None:
        """Require that no cinder-backup may be handling the records meanwhile.

        :raises CommandEnded: one is alive, as Cinder itself tells it.
        """
        backups = {"topic": constants.BACKUP_TOPIC}
        services = objects.ServiceList.get_all(self.cloud.context, backups)
        alive = [one.host for one in services if one.is_up]
        if alive:
            refuse(
                f"cinder-backup is up on {listed(alive)}: stop it first (for "
                f"{CONF.service_down_time} s after its last heartbeat it counts as up), or "
                "add --while-running. Nothing was rewritten."
            )

    def _rewritten(self, backup: Any, backend: Backend) -> Sequence[Any]:
        """Rewrite one record, unless somebody changed it since it was read, and tell it."""
        before, after = backup.service, backend.class_path
        if backup.conditional_update({"service": after}, {"service": before}):
            return backup.id, backend.name, DONE_WITH, after, before, ""
        self.exit_code = worse(self.exit_code, NO)
        why = "somebody changed or deleted the record meanwhile"
        self.say(f"The record of backup {backup.id} was not rewritten: {why}.")
        return backup.id, backend.name, "left alone", None, before, why

    def _to_rewrite(self, backend: Backend) -> tuple[list[Any], list[tuple[Any, str]]]:
        """The backend's records that do not say just its class, and those that may be its own.

        :returns: the latter each with the reason why that is not known.
        """
        wanted = [
            one.service
            for one in self.cloud.tallies()
            if not records.would_own(backend.class_path, one.service)
            and (records.is_unresolved(one.service) or self.cloud.owner_by(one.service) == backend)
        ]
        found: list[Any] = []
        unknown: list[tuple[Any, str]] = []
        down = ""
        for backup in self.cloud.backups(Filter(services=wanted)):
            answer: bool | None = True
            reason = ""
            if records.is_unresolved(backup.service):
                answer, reason = (None, down) if down else self.cloud.asked(backend, backup)
                # Its check may take a minute, which need not be spent on each record.
                down = reason if answer is None and not self.cloud.is_up(backend) else ""
            if answer:
                found.append(backup)
            elif answer is None:
                unknown.append((backup, reason))
        return found, unknown

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
