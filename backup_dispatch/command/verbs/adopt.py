# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch adopt``: say by hand who holds a backup."""

from __future__ import annotations

import argparse

from cinder.objects import fields

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.outcome import refuse
from backup_dispatch.drivers.custody import holds
from backup_dispatch.ownership import write_down

_BUSY = (
    fields.BackupStatus.CREATING,
    fields.BackupStatus.DELETING,
    fields.BackupStatus.RESTORING,
)


class Adopt(CloudCommand):
    """Set the backend that holds a backup, if that backend has its data.

    The backend is asked first. It must not say that it has nothing of the backup; where it cannot
    tell, --force takes your word for it.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its id, or its name if only one has")
        parser.add_argument("backend", metavar="BACKEND", help="the name of an enabled backend")
        parser.add_argument(
            "--force",
            action="store_true",
            help="also if the backend cannot tell whether it has the data",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Ask, and write it down."""
        backup = self.cloud.backup(parsed_args.backup)
        backend = self.cloud.backend(parsed_args.backend)
        if backup.status in _BUSY:
            refuse(f"Backup {backup.id} is {backup.status}: wait until that has ended.")
        answer = holds(self.cloud.driver(backend, backup), backup)
        if answer is False:
            refuse(f"Backend {backend.name} says that it has nothing of backup {backup.id}.")
        if answer is None and not parsed_args.force:
            refuse(
                f"Backend {backend.name} cannot tell whether it has the data of backup "
                f"{backup.id}. If you know that it has, add --force."
            )
        before = backup.service
        write_down(backup, backend)
        said = f"; its record said {before}" if before != backup.service else ", as it was"
        self.app.stdout.write(f"Backup {backup.id} is held by backend {backend.name}{said}.\n")
        return 0
