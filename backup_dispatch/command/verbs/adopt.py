# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch adopt``: say by hand who holds a backup."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from backup_dispatch import records
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, CommandEnded, misused, refuse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.renaming import BUSY, Left, Renaming
from backup_dispatch.ownership import NeverWritten, write_down

SHOWN = 20
"""Records that stay as they are, of which each is told; of more, only how many."""


class Adopt(CloudCommand):
    """Set the backend of one backup, or of all of a renamed backend.

    The backend is asked first. It must not say that it has nothing of the backup; where it cannot
    tell, --force sets it all the same. With --from all records that name a backend that is not
    enabled any more are given to BACKEND, after you have seen how many, and confirmed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "backup", nargs="?", metavar="BACKUP", help="its id, or its name if only one has"
        )
        parser.add_argument("backend", metavar="BACKEND", help="the name of an enabled backend")
        parser.add_argument(
            "--force",
            action="store_true",
            help="also if the backend cannot tell whether it has the data",
        )
        parser.add_argument(
            "--from",
            dest="old",
            metavar="OLD",
            help="all records that name this backend, or this class path and no backend",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="with --from: ask, tell, and change nothing"
        )
        parser.add_argument("--yes", action="store_true", help="with --from: do not ask you")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask, and write it down."""
        if (parsed_args.old is None) == (parsed_args.backup is None):
            misused("Name either one BACKUP and its BACKEND, or --from OLD and the BACKEND.")
        if parsed_args.old is not None:
            return self._adopt_all(parsed_args)
        if parsed_args.dry_run or parsed_args.yes:
            misused("--dry-run and --yes belong to --from.")
        backup = self.cloud.backup(parsed_args.backup)
        backend = self.cloud.backend(parsed_args.backend)
        if backup.status in BUSY:
            refuse(f"Backup {backup.id} is {backup.status}: wait until that has ended.")
        if records.was_disowned(backup):
            refuse(str(NeverWritten(backup)))
        # Not even --force takes one's word for a backend that is down.
        self.cloud.driver(backend, backup)
        answer, why = self.cloud.asked(backend, backup)
        if not answer and records.shows_nothing_written(backup):
            refuse(str(NeverWritten(backup)))
        if answer is False:
            refuse(f"Backend {backend.name} says that it has nothing of backup {backup.id}.")
        if answer is None and not parsed_args.force:
            raise CommandEnded(
                f"It is not known whether backend {backend.name} has the data of backup "
                f"{backup.id}: {why.rstrip('.')}. If you know that it has, add --force.",
                NOT_KNOWN,
            )
        before = backup.service
        write_down(backup, backend)
        said = f"; its record said {before}" if before != backup.service else ", as it was"
        self.app.stdout.write(f"Backup {backup.id} is held by backend {backend.name}{said}.\n")
        return 0

    def _adopt_all(self, parsed_args: argparse.Namespace) -> int:
        old, backend = parsed_args.old, self.cloud.backend(parsed_args.backend)
        renaming = Renaming(self.cloud, old, backend, force=parsed_args.force)
        with ProgressLine(self.app.stderr, shown="{:.0f}".format) as progress:
            theirs, left = renaming.sort(progress)
        self.app.stdout.write(
            f"Of {len(theirs) + len(left)} records of {old}, {len(theirs)} can be given to backend "
            f"{backend.name}.\n"
        )
        self._tell(left)
        if theirs and not parsed_args.dry_run:
            if not parsed_args.yes:
                self._confirm(f"Give {len(theirs)} records of {old} to backend {backend.name}?")
            ended = list(renaming.adopt(theirs))
            changed = [one for one in ended if isinstance(one, Left)]
            self._tell(changed)
            self.app.stdout.write(f"{len(ended) - len(changed)} records were changed.\n")
            left += changed
        if all(one.known for one in left):
            return NO if left else DONE
        return NOT_KNOWN

    def _tell(self, left: Sequence[Left]) -> None:
        for one in left[:SHOWN]:
            self.say(f"{one.backup_id} is left as it is: {one.why}.")
        if len(left) > SHOWN:
            self.say(f"{len(left) - SHOWN} more are left as they are.")

    def _confirm(self, question: str) -> None:
        if not self.app.stdin.isatty():
            misused(f"{question} Confirm with --yes.")
        self.app.stderr.write(f"{question} [y/N] ")
        self.app.stderr.flush()
        if self.app.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandEnded("Nothing was changed.")
