# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch verify``: read a backup back, and check what can be checked."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

from cinder.objects import fields
from cliff.show import ShowOne

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.chain import chain_of
from backup_dispatch.command.columns import Lines, Size
from backup_dispatch.command.masking import masked
from backup_dispatch.command.outcome import NO, refuse
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from backup_dispatch.drivers.verification import Sample, verified

_UNFINISHED = (fields.BackupStatus.CREATING, fields.BackupStatus.DELETING)
_WHOLE = 100.0


class Verify(CloudCommand, ShowOne):
    """Read a backup back and check it; exit 1 if it is damaged.

    Nothing is written anywhere. Of an incremental all is read that a restore would read.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its id, or its name if only one has")
        parser.add_argument(
            "--sample",
            type=_share,
            metavar="PERCENT",
            help="look only at so much of it, drawn at random: 1, 0.5, …",
        )
        parser.add_argument(
            "--seed",
            type=int,
            metavar="N",
            help="draw the same as a sample with this seed did; default: another each time",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read, and tell what was found."""
        if parsed_args.seed is not None and parsed_args.sample is None:
            refuse("--seed repeats a sample: say with --sample how large it was.")
        sample = None
        if parsed_args.sample is not None:
            seed = parsed_args.seed
            sample = Sample(parsed_args.sample, secrets.randbits(32) if seed is None else seed)
            if seed is None:
                # Now, because a sample that is interrupted may be wanted again.
                self.say(f"The sample's seed is {sample.seed}.")
        backup = self.cloud.backup(parsed_args.backup)
        if backup.status in _UNFINISHED:
            refuse(f"Backup {backup.id} is {backup.status}: there is nothing to verify.")
        owner = self.cloud.owner(backup)
        driver = self.cloud.driver(owner, backup)
        chain = chain_of(self.cloud.context, backup)
        started = time.monotonic()
        with ProgressLine(self.app.stderr) as progress:
            found = verified(driver, chain, progress, sample)
        seconds = time.monotonic() - started
        if found.damage:
            self.exit_code = NO
            places = "one place" if len(found.damage) == 1 else f"{len(found.damage)} places"
            self.app.LOG.error("Backup %s is damaged in %s.", backup.id, places)
        shown: dict[str, Any] = {
            "backup": backup.id,
            "backend": owner.name,
            "result": "DAMAGED" if found.damage else "sound",
            "damage": Lines([masked(line) for line in found.damage]),
            "checked": found.method,
            "sample": found.drawn,
            "backups_read": found.backups,
            "read": Size(found.read),
            "seconds": round(seconds, 1),
        }
        if not found.damage:
            del shown["damage"]
        if not found.drawn:
            del shown["sample"]
        elif not found.read:
            del shown["read"]
        if found.read and seconds > 0:
            self.say(f"Read {in_units(found.read)} at {in_units(found.read / seconds)}/s.")
        return self.dict2columns(shown)


def _share(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= _WHOLE:
        raise argparse.ArgumentTypeError(f"{text} is no percentage above 0 and up to 100")
    return percent / _WHOLE
