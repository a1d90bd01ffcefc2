# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch prune``: let old backups go by a rule."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, TypeVar

from cliff.lister import Lister
from oslo_config import cfg
from oslo_utils import uuidutils

from backup_dispatch import opts
from backup_dispatch.backup_rows import Filter
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.cloud import SHORT_ID
from backup_dispatch.command.columns import Lines, Minute
from backup_dispatch.command.durations import seconds
from backup_dispatch.command.outcome import NO, NOT_KNOWN, misused, worse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.jobs.locking import only_run_of
from backup_dispatch.jobs.prune import policy as rules
from backup_dispatch.jobs.prune.deletion import Outcome, World
from backup_dispatch.jobs.prune.plan import Decision, Plan
from backup_dispatch.jobs.prune.planning import Selection, planned
from backup_dispatch.jobs.prune.policies import NamedPolicy, configured_policies
from backup_dispatch.jobs.prune.run import carry_out
from backup_dispatch.jobs.prune.service import CinderBackup
from backup_dispatch.masking import masked

CONF = cfg.CONF

COLUMNS = ("ID", "Name", "Project", "Volume", "Backend", "Policy", "Made", "Fate", "Why")
_BRIEF = ("ID", "Volume", "Backend", "Made", "Fate", "Why")

_PATIENCE = 3600.0
_BORDERS = 19
_NARROWEST = 18
_MINUTE = "%Y-%m-%d %H:%M"
_ID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_FATES = {
    Outcome.GONE: "gone",
    Outcome.KEPT: "kept",
    Outcome.FAILED: "FAILED",
    Outcome.UNKNOWN: "not known",
}
T = TypeVar("T")

Row = tuple[Decision, str, list[str]]
"""A backup, what becomes of it, and why."""


class Prune(CloudCommand, Lister):
    """Delete old backups by a policy."""

    known_columns = COLUMNS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.usage = f"{prog_name} [--keep-PERIOD N …] [option …]"
        for name in rules.COUNTS:
            parser.add_argument(
                f"--keep-{name}",
                type=_read_by(rules.count),
                metavar="N",
                # One line for all of them: each would say the same.
                help=_KEEPS.get(name, argparse.SUPPRESS),
            )
        parser.add_argument(
            "--keep-within",
            type=_read_by(rules.span),
            metavar="SPAN",
            help="keep all within 14d, 8w, 1y6m, … before the newest",
        )
        parser.add_argument("--volume", metavar="ID", help="only backups of this volume")
        parser.add_argument("--project", metavar="ID", help="only backups of this project")
        parser.add_argument("--backend", metavar="B", help="only backups on this backend")
        parser.add_argument("--prefix", metavar="P", help="only backups whose names begin so")
        parser.add_argument("--dry-run", action="store_true", help="change nothing, show all")
        parser.add_argument(
            "--force",
            action="store_true",
            help="even if a backend is left without any of a volume",
        )
        parser.add_argument(
            "--timeout",
            type=seconds,
            default=_PATIENCE,
            metavar="SECONDS",
            help="to wait for each deletion (default: 3600)",
        )
        return parser

    def job_of(self, parsed_args: argparse.Namespace) -> str:
        """A run for all; what is pruned of a part tells nothing of the rest."""
        parts = (parsed_args.volume, parsed_args.project, parsed_args.backend, parsed_args.prefix)
        return "" if parsed_args.dry_run or any(parts) else "prune"

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Plan, and delete what goes."""
        policies = self._policies(parsed_args)
        selection = self._selection(parsed_args)
        if parsed_args.dry_run:
            decided = self._decided(policies, selection)
            rows = self._told(decided)
        else:
            self.cloud.start_coordination()
            with only_run_of("prune"):
                decided = self._decided(policies, selection)
                if decided.emptied and not parsed_args.force:
                    self._refuse_emptying(decided)
                rows = self._pruned(decided, parsed_args.timeout)
        for volume, why in decided.unsound.items():
            self.exit_code = worse(self.exit_code, NO)
            self.say(f"Nothing is pruned of volume {volume}: {why}.")
        brief = parsed_args.formatter == "table" and not parsed_args.columns
        if brief:
            return _BRIEF, _brief(rows)
        return COLUMNS, [_full(row) for row in rows]

    # What is asked for

    def _policies(self, parsed_args: argparse.Namespace) -> list[NamedPolicy]:
        given = {
            name: value
            for name in rules.NAMES
            if (value := getattr(parsed_args, f"keep_{name}")) is not None
        }
        if given:
            return [NamedPolicy("(command line)", rules.Policy(**given))]
        configured = configured_policies(CONF, self.cloud.context)
        if not configured:
            misused(
                "There is no policy, so nothing is pruned. Give one (--keep-daily 7 …), or set "
                f"[DEFAULT] {opts.RETENTION} in cinder.conf."
            )
        return configured

    def _selection(self, parsed_args: argparse.Namespace) -> Selection:
        volume, project, backend = parsed_args.volume, parsed_args.project, parsed_args.backend
        if volume is not None and not uuidutils.is_uuid_like(volume):
            misused(f"--volume {volume}: give the volume's ID.")
        if backend is not None:
            found = self.cloud.enabled.named(backend)
            if found is None:
                names = ", ".join(self.cloud.enabled.names)
                misused(f"There is no backend {backend}; enabled are {names}.")
            backend = found.name
        selection = Selection(volume, project, backend, parsed_args.prefix)
        if volume is not None and not self.cloud.has_any(Filter(volume=volume)):
            misused(f"There is no backup of volume {volume}.")
        if project is not None and not self.cloud.has_any(Filter(project=project)):
            misused(f"There is no backup of project {project}.")
        return selection

    def _decided(self, policies: list[NamedPolicy], selection: Selection) -> Plan:
        return planned(self.cloud.context, self.cloud.enabled, policies, selection, _now())

    def _refuse_emptying(self, decided: Plan) -> None:
        volume, backend = decided.emptied[0]
        more = len(decided.emptied) - 1
        misused(
            f"The policy would delete all backups of volume {volume} on {backend}"
            + (f", and so of {more} more volumes" if more else "")
            + ". If that is meant, add --force; nothing was done."
        )

    # What is told

    def _told(self, decided: Plan) -> list[Row]:
        rows: list[Row] = [(one, "go", ["half deleted"]) for one in decided.unfinished]
        rows += [(one, "go" if one.goes else "keep", one.why) for one in decided.decisions]
        going, all_ = sum(fate == "go" for _, fate, _ in rows), len(rows)
        self.say(f"Of {all_} backups {all_ - going} would be kept, and {going} would go.")
        if decided.emptied:
            self.say("This would leave volumes without a backup on a backend: it needs --force.")
        return rows

    def _pruned(self, decided: Plan, patience: float) -> list[Row]:
        rows: list[Row] = []
        total = len(decided.going) + len(decided.unfinished)
        counts: Counter[Outcome] = Counter()
        world = World(CinderBackup(), time.monotonic, time.sleep, _now, patience)
        with ProgressLine(self.app.stderr, shown=_backups) as progress:
            for one, done in carry_out(
                self.cloud.context, self.cloud.enabled, decided, world, self.cloud.operators_driver
            ):
                counts[done.outcome] += 1
                rows.append((one, _FATES[done.outcome], [done.why] if done.why else []))
                progress(len(rows), total)
        rows += [(one, "kept", one.why) for one in decided.decisions if one.held]
        if counts[Outcome.FAILED]:
            self.exit_code = worse(self.exit_code, NO)
        if counts[Outcome.UNKNOWN]:
            self.exit_code = worse(self.exit_code, NOT_KNOWN)
        self.say(_summary(counts, len(decided.decisions) - len(decided.going)))
        for why in dict.fromkeys(_explained(one, fate, why) for one, fate, why in rows):
            if why:
                self.say(why)
        return rows


_KEEPS = {
    "last": "keep the newest N",
    "hourly": "keep the newest of each of the last N hours; "
    "also --keep-daily, -weekly, -monthly and -yearly",
}


def _read_by(read: Callable[[str], T]) -> Callable[[str], T]:
    def checked(text: str) -> T:
        try:
            return read(text)
        except rules.PolicyInvalid as invalid:
            raise argparse.ArgumentTypeError(str(invalid)) from None

    return checked


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _backups(number: float) -> str:
    return f"{number:.0f} backups"


def _summary(counts: Counter[Outcome], kept: int) -> str:
    parts = [f"{counts[Outcome.GONE]} backups were deleted", f"{kept + counts[Outcome.KEPT]} kept"]
    if counts[Outcome.FAILED]:
        parts.append(f"{counts[Outcome.FAILED]} could not be deleted")
    if counts[Outcome.UNKNOWN]:
        parts.append(f"of {counts[Outcome.UNKNOWN]} it is not known")
    return ", ".join(parts) + "."


def _explained(one: Decision, fate: str, why: list[str]) -> str:
    """A line of its own for what needs an operator."""
    if fate == _FATES[Outcome.FAILED]:
        return f"Backup {one.backup.id} could not be deleted: {'; '.join(why)}"
    return "; ".join(why) if fate == _FATES[Outcome.UNKNOWN] else ""


def _full(row: Row) -> tuple[Any, ...]:
    one, fate, why = row
    backup = one.backup
    told = Lines([masked(each) for each in why])
    policy, made = one.policy, Minute(backup.moment if backup.has_age else None)
    whose = (backup.name, backup.project, backup.volume)
    return (backup.id, *whose, one.shelf.name, policy, made, fate.lower(), told)


def _brief(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """What fits a terminal: IDs by their beginning, and reasons in several lines."""
    cells = [
        (
            one.backup.id[:SHORT_ID],
            one.backup.volume[:SHORT_ID],
            one.shelf.name,
            one.backup.moment.strftime(_MINUTE) if one.backup.has_age else "",
            fate,
        )
        for one, fate, _ in rows
    ]
    widths = [max(map(len, column)) for column in zip(_BRIEF[:-1], *cells, strict=True)]
    room = max(_NARROWEST, shutil.get_terminal_size().columns - sum(widths) - _BORDERS)
    reasons = [_ID.sub(r"\1", masked(", ".join(why))) for _, _, why in rows]
    return [
        (*cell, Lines(textwrap.wrap(why, room))) for cell, why in zip(cells, reasons, strict=True)
    ]
