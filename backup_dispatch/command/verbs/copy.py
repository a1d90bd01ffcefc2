# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch copy``: backups copied, or moved, to another backend."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cliff.lister import Lister
from oslo_config import cfg
from oslo_utils import timeutils

from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.cloud import SHORT_ID
from backup_dispatch.command.durations import age
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, CommandEnded, misused, worse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.jobs.copying import run as job
from backup_dispatch.jobs.copying.choice import sources
from backup_dispatch.jobs.copying.request import Check, Outcome, Report, Request
from backup_dispatch.masking import masked

CONF = cfg.CONF

COLUMNS = ("Backup", "Name", "Copy", "Result", "Builds on", "Volume", "Verified", "Reason")
BRIEF = 5

_CODES = {
    Outcome.FAILED: NO,
    Outcome.DAMAGED: NO,
    Outcome.LEFT: NO,
    Outcome.UNKNOWN: NOT_KNOWN,
}


class Copy(CloudCommand, Lister):
    """Copy backups to another backend, or move them there."""

    known_columns = COLUMNS

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.usage = f"{prog_name} --to BACKEND (BACKUP | --from BACKEND) [option …]"
        parser.add_argument(
            "backup", metavar="BACKUP", nargs="?", help="its ID, or its name if unique"
        )
        parser.add_argument(
            "--to", metavar="BACKEND", required=True, help="the backend that gets the copies"
        )
        parser.add_argument(
            "--from", dest="origin", metavar="BACKEND", help="copy all backups of this backend"
        )
        parser.add_argument(
            "--newer-than", type=age, metavar="AGE", help="with --from: of the last 12h, 30d, 8w"
        )
        parser.add_argument(
            "--incremental",
            action="store_true",
            help="store what differs from the copy before it",
        )
        parser.add_argument(
            "--owner", metavar="PROJECT", help="the project that gets the copies, by its ID"
        )
        parser.add_argument(
            "--verify",
            choices=[one.value for one in Check],
            metavar="HOW",
            help="read back none, sample or full; default: sample",
        )
        parser.add_argument(
            "--move", action="store_true", help="delete each backup; --verify full by default"
        )
        parser.add_argument(
            "--scratch",
            type=Path,
            metavar="DIRECTORY",
            help="for the data of drivers that can only restore",
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell what would be done")
        parser.add_argument("--yes", action="store_true", help="do not ask before --move")
        return parser

    def job_of(self, parsed_args: argparse.Namespace) -> str:
        """A run over all that has no copy yet."""
        return "copy" if parsed_args.backup is None and not parsed_args.dry_run else ""

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Copy, and tell what became of each."""
        target = self.cloud.backend(parsed_args.to)
        request = self._request(parsed_args, target)
        self.cloud.start_coordination()
        if parsed_args.dry_run:
            chosen = self._chosen(parsed_args, target)
            reports = list(job.planned(self.cloud, request, chosen))
        else:
            with job.only_run_to(target):
                self._clear(target)
                chosen = self._chosen(parsed_args, target)
                if request.move and chosen and not parsed_args.yes:
                    self._confirm(len(chosen), target)
                reports = self._copied(request, chosen)
        if not chosen:
            self.say("There is nothing to copy.")
        brief = parsed_args.formatter == "table" and not parsed_args.columns
        rows = [self._row(one, brief) for one in reports]
        return (COLUMNS[:BRIEF], [row[:BRIEF] for row in rows]) if brief else (COLUMNS, rows)

    def _request(self, parsed_args: argparse.Namespace, target: Backend) -> Request:
        if (parsed_args.backup is None) == (parsed_args.origin is None):
            misused("Name either one BACKUP, or with --from BACKEND all of a backend.")
        if parsed_args.newer_than is not None and parsed_args.origin is None:
            misused("--newer-than chooses among the backups of a backend: add --from BACKEND.")
        check = Check(parsed_args.verify or (Check.FULL if parsed_args.move else Check.SAMPLE))
        if parsed_args.move and check is Check.NONE:
            misused("--move deletes nothing without a verified copy: leave out --verify none.")
        if parsed_args.owner is not None and not parsed_args.owner.strip():
            misused("--owner: give a project's ID.")
        return Request(
            target,
            incremental=parsed_args.incremental,
            project=parsed_args.owner,
            check=check,
            move=parsed_args.move,
            scratch=_scratch(parsed_args.scratch),
        )

    def _chosen(self, parsed_args: argparse.Namespace, target: Backend) -> job.Sources:
        """The backups, with their owners."""
        if parsed_args.backup is not None:
            backup = self.cloud.backup(parsed_args.backup)
            owner = self.cloud.owner(backup)
            if parsed_args.move and not parsed_args.dry_run:
                self._clear(owner)
            if parsed_args.move:
                job.refuse_parent(self.cloud, backup)
            return [(backup, owner)]
        origin = self.cloud.backend(parsed_args.origin)
        if origin == target:
            misused(f"--from and --to are both {origin.name}.")
        if parsed_args.move and not parsed_args.dry_run:
            self._clear(origin)
        newer = parsed_args.newer_than
        since = timeutils.utcnow() - newer if newer is not None else None
        return [(one, origin) for one in sources(self.cloud, origin, target, since)]

    def _clear(self, backend: Backend) -> None:
        for backup, why in job.clear(self.cloud, backend):
            if why:
                self.exit_code = worse(self.exit_code, NO)
                self.say(f"{backup}, unfinished, of an earlier run, is still there: {why}")
            else:
                self.say(f"{backup}, unfinished, of an earlier run, was removed.")

    def _copied(self, request: Request, chosen: job.Sources) -> list[Report]:
        reports = []
        for report in job.run(self.cloud, request, chosen, self._stage):
            reports.append(report)
            if self.app.stderr.isatty() and len(chosen) > 1:
                name = report.source.display_name or report.source.id
                self.say(f"{len(reports)} of {len(chosen)}: {name} {report.outcome.value}")
        return reports

    @contextmanager
    def _stage(self, _what: str) -> Iterator[ProgressLine]:
        with ProgressLine(self.app.stderr) as progress:
            yield progress

    def _row(self, report: Report, brief: bool) -> tuple[Any, ...]:
        self.exit_code = worse(self.exit_code, _CODES.get(report.outcome, DONE))
        if report.reason:
            self.say(report.reason)

        def shown(text: str | None) -> str | None:
            return (text or "")[:SHORT_ID] if brief else text

        source = report.source
        return (
            shown(source.id),
            source.display_name,
            shown(report.copy),
            report.outcome.value,
            shown(report.parent),
            source.volume_id,
            report.checked,
            masked(report.reason),
        )

    def _confirm(self, count: int, target: Backend) -> None:
        what = "1 backup" if count == 1 else f"{count} backups"
        if not self.app.stdin.isatty():
            misused(f"{what} would be deleted after the copies were verified: confirm with --yes.")
        self.app.stderr.write(
            f"Move {what} to {target.name}, and delete each where it is now? [y/N] "
        )
        self.app.stderr.flush()
        if self.app.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandEnded("Nothing was copied.")


def _scratch(given: Path | None) -> Path:
    """The folder for data that is restored first.

    :raises CommandEnded: it is none that can be written to.
    """
    if given is None:
        CONF.import_opt("image_conversion_dir", "cinder.image.image_utils")
        folder = Path(CONF.image_conversion_dir)
        # Cinder makes it, too, when it first converts an image.
        if not folder.exists() and os.access(folder.parent, os.W_OK):
            folder.mkdir(exist_ok=True)
        return folder
    if not (given.is_dir() and os.access(given, os.W_OK | os.X_OK)):
        misused(f"--scratch {given}: that is no folder that this user may write to.")
    return given
