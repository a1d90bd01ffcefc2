# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch orphans``: what backends hold that no record of Cinder names."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.lister import Lister

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Day, Lines
from backup_dispatch.command.outcome import NO, NOT_KNOWN, CommandEnded, misused, worse
from backup_dispatch.drivers.interface import Orphan, SupportsOrphans
from backup_dispatch.drivers.offers import offered
from backup_dispatch.errors import DispatchError, listed, reason_of

COLUMNS = ("Backend", "Container", "Tenant", "Created", "GiB", "Backups", "Left alone because")

Found = tuple[str, SupportsOrphans, Orphan]
"""A backend's name, a driver object of it, and what its driver tells of a container."""


class Orphans(CloudCommand, Lister):
    """List containers that no record names, or remove them.

    Only what is provably this Cinder's own is removed. Backends that cannot tell are named; exit 3
    if one that can was not asked, or there is none.
    """

    known_columns = COLUMNS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--delete", action="store_true", help="delete them, after confirmation")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Ask the backends, and remove what may be removed."""
        if parsed_args.yes and not parsed_args.delete:
            misused("--yes answers what --delete asks.")
        found, asked = self._asked()
        gone: set[tuple[str, str]] = set()
        if found and parsed_args.delete:
            gone = self._delete([one for one in found if not one[2].doubt], parsed_args.yes)
        elif asked and not found:
            self.say(f"Every container on {listed(asked)} is named by a record.")
        left = [(name, orphan) for name, _, orphan in found if (name, orphan.name) not in gone]
        return COLUMNS, [_row(name, orphan) for name, orphan in left]

    def _asked(self) -> tuple[list[Found], list[str]]:
        """What the backends tell, and the names of those that did."""
        found: list[Found] = []
        asked, unable = [], []
        for backend in self.cloud.enabled.enabled:
            if offered(backend.driver_class, SupportsOrphans) is None:
                unable.append(backend.name)
                continue
            try:
                driver: SupportsOrphans = self.cloud.operators_driver(backend)
                found += [(backend.name, driver, orphan) for orphan in driver.orphans()]
            except Exception as error:
                if self.app.options.debug:
                    raise
                self.exit_code = NOT_KNOWN
                why = error.full_text if isinstance(error, DispatchError) else reason_of(error)
                self.say(f"What is on {backend.name} is not known: {why}")
            else:
                asked.append(backend.name)
        if unable:
            self.say(f"Not asked, because their drivers cannot list containers: {listed(unable)}.")
        if not asked:
            self.exit_code = NOT_KNOWN
            self.say("No backend could list its containers: it is not known what is there.")
        return found, asked

    def _delete(self, found: Sequence[Found], yes: bool) -> set[tuple[str, str]]:
        """Remove them, and return the backends and names of those that are gone."""
        gone: set[tuple[str, str]] = set()
        if not found:
            self.say("There is nothing to delete.")
            return gone
        if not yes:
            self._confirm([orphan.name for _, _, orphan in found])
        for name, driver, orphan in found:
            try:
                driver.remove_orphan(orphan.name)
            except Exception as error:
                self.exit_code = worse(self.exit_code, NO)
                self.say(f"{orphan.name} was not deleted: {reason_of(error)}")
            else:
                gone.add((name, orphan.name))
                self.say(f"{orphan.name} was deleted.")
        return gone

    def _confirm(self, names: Sequence[str]) -> None:
        if not self.app.stdin.isatty():
            misused(f"{_counted(names)} would be deleted: confirm with --yes.")
        for name in names:
            self.say(f"  {name}")
        self.app.stderr.write(f"Permanently delete {_counted(names)}? [y/N] ")
        self.app.stderr.flush()
        if self.app.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandEnded("Nothing was deleted.")


def _counted(names: Sequence[str]) -> str:
    return "1 container" if len(names) == 1 else f"{len(names)} containers"


def _row(backend: str, orphan: Orphan) -> tuple[Any, ...]:
    backups = None if orphan.backups is None else Lines(orphan.backups)
    return (
        backend,
        orphan.name,
        orphan.tenant,
        Day(orphan.created),
        orphan.size_gib,
        backups,
        orphan.doubt,
    )
