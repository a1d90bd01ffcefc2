# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch mount``: look into a backup without restoring it."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cinder.objects import fields
from cliff.show import ShowOne

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Lines, Size, YesNo
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, misused, refuse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from backup_dispatch.drivers.readers import needs_scratch, open_reader
from backup_dispatch.jobs.mounting import (
    FILE,
    MountRefused,
    VolumeFilesystem,
    require_mountable,
    serve,
)
from backup_dispatch.lineage import chain_of
from backup_dispatch.masking import masked

_FINISHED = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)

_VERIFIED = "where it lies, each block verified"
_RESTORED = "restored into scratch space, as right as the driver's restore"

_ENCRYPTED = (
    "The volume is encrypted, and so is its backup: volume.raw is a LUKS device. With the volume's "
    "key: cryptsetup open --readonly"
)


class Mount(CloudCommand, ShowOne):
    """Show a backup as a read-only file, until Ctrl-C.

    A damaged block is an I/O error: then exit 1; if something could not be read, exit 3.
    """

    known_columns = (
        "backup", "backend", "directory", "size", "encrypted", "read_from", "read", "damage",
        "not_known",
    )  # fmt: skip

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its ID, or its name if unique")
        parser.add_argument(
            "directory", type=Path, metavar="DIRECTORY", help="an empty directory of this user"
        )
        parser.add_argument(
            "--allow-root",
            action="store_true",
            help="let root read it too (user_allow_other in fuse.conf)",
        )
        parser.add_argument(
            "--scratch",
            type=Path,
            metavar="DIR",
            default=Path(tempfile.gettempdir()),
            help="for files without a name; Ceph's backups are restored into one",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="open the backup, tell about it, mount nothing"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Mount it, and tell at the end what was found."""
        directory: Path = parsed_args.directory.absolute()
        try:
            require_mountable(directory)
        except MountRefused as refused:
            misused(refused.full_text)
        scratch: Path = parsed_args.scratch
        if not os.access(scratch, os.W_OK | os.X_OK):
            misused(f"The scratch folder {scratch} cannot be written: name another one.")
        backup = self.cloud.backup(parsed_args.backup)
        if backup.status not in _FINISHED:
            refuse(f"Backup {backup.id} is {backup.status}: only a finished one can be mounted.")
        owner = self.cloud.owner(backup)
        driver = self.cloud.driver(owner, backup)
        chain = chain_of(self.cloud.context, backup)
        if chain.circular:
            refuse(f"Backup {backup.id} cannot be read: {chain.broken}.")
        shown: dict[str, Any] = {
            "backup": backup.id,
            "backend": owner.name,
            "directory": str(directory),
            "encrypted": YesNo(bool(backup.encryption_key_id)),
            "read_from": _RESTORED if needs_scratch(driver) else _VERIFIED,
        }
        with ProgressLine(self.app.stderr) as progress:
            data = open_reader(driver, chain.backups, scratch, progress)
        with closing(data):
            shown["size"] = Size(data.size)
            if not parsed_args.dry_run:
                shown |= self._served(data, backup, directory, allow_root=parsed_args.allow_root)
        return self.dict2columns(shown)

    def _served(
        self, data: Any, backup: Any, directory: Path, *, allow_root: bool
    ) -> dict[str, Any]:
        def ready() -> None:
            self.say(
                f"{directory / FILE} is backup {backup.id}, {in_units(data.size)}, read-only. "
                f"Ctrl-C ends it, or: fusermount3 -u {directory}"
            )
            if backup.encryption_key_id:
                self.say(_ENCRYPTED)

        made = backup.data_timestamp or backup.created_at
        filesystem = VolumeFilesystem(data, made, lambda line: self.app.LOG.error("%s", line))
        with closing(filesystem):
            serve(filesystem, directory, ready, name=f"backup-{backup.id}", allow_root=allow_root)
        damage, unknown = filesystem.damage, filesystem.unknown
        self.exit_code = NO if damage else NOT_KNOWN if unknown else DONE
        return {
            "read": Size(filesystem.read_bytes),
            "damage": Lines([masked(one) for one in damage]),
            "not_known": Lines([masked(one) for one in unknown]),
        }
