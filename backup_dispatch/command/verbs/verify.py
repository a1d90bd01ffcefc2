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

from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Lines, Size
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, misused
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from backup_dispatch.drivers.verification import SampleRequest, Verdict, Verified, verified
from backup_dispatch.errors import BackendDown, BackendFailed, OwnerUnresolved
from backup_dispatch.lineage import chain_of
from backup_dispatch.masking import masked

_UNFINISHED = (fields.BackupStatus.CREATING, fields.BackupStatus.DELETING)
_WHOLE = 100.0

_CODES = {Verdict.SOUND: DONE, Verdict.DAMAGED: NO, Verdict.UNKNOWN: NOT_KNOWN}


class Verify(CloudCommand, ShowOne):
    """Verify a backup: sound, DAMAGED (exit 1), not known (exit 3).

    Nothing is written anywhere. Everything is read that a restore would read.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its ID, or its name if unique")
        parser.add_argument(
            "--sample",
            type=_share,
            metavar="PERCENT",
            help="verify only this percentage of it, chosen at random: 1, 0.5, …",
        )
        parser.add_argument(
            "--seed",
            type=int,
            metavar="N",
            help="seed of the sample: the same one repeats it; default: a new one each time",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read, and tell what was found."""
        if parsed_args.seed is not None and parsed_args.sample is None:
            misused("--seed repeats a sample: give its size with --sample.")
        sample = None
        if parsed_args.sample is not None:
            seed = parsed_args.seed
            sample = SampleRequest(
                parsed_args.sample, secrets.randbits(32) if seed is None else seed
            )
            if seed is None:
                # Now, because a sample that is interrupted may be wanted again.
                self.say(f"The sample's seed is {sample.seed}.")
        backup = self.cloud.backup(parsed_args.backup)
        started = time.monotonic()
        owner, found = self._found(backup, sample)
        seconds = time.monotonic() - started
        self.exit_code = _CODES[found.finding]
        if found.damage:
            places = "one place" if len(found.damage) == 1 else f"{len(found.damage)} places"
            self.app.LOG.error("Backup %s is damaged in %s.", backup.id, places)
        elif found.unknown:
            self.app.LOG.error("It is not known whether backup %s can be restored.", backup.id)
        if found.read and seconds > 0:
            self.say(f"Read {in_units(found.read)} at {in_units(found.read / seconds)}/s.")
        shown: dict[str, Any] = {
            "backup": backup.id,
            "backend": owner.name if owner else None,
            "result": found.finding.value,
            "damage": Lines([masked(line) for line in found.damage]),
            "not_known": Lines([masked(line) for line in found.unknown]),
            "checked": found.method,
            "sample": found.drawn,
            "backups_read": found.backups,
            "read": Size(found.read),
            "seconds": round(seconds, 1),
        }
        told = {"damage": found.damage, "not_known": found.unknown, "sample": found.drawn}
        for name in [name for name, value in told.items() if not value]:
            del shown[name]
        if found.drawn and not found.read:
            del shown["read"]
        return self.dict2columns(shown)

    def _found(self, backup: Any, sample: SampleRequest | None) -> tuple[Backend | None, Verified]:
        """The backend that has it, and what was found there; or what kept one from looking."""
        question = f"whether backup {backup.id} can be restored"
        if backup.status in _UNFINISHED:
            return None, _unknown(f"{question}: it is {backup.status}")
        owner = None
        try:
            owner = self.cloud.owner(backup)
            driver = self.cloud.driver(owner, backup)
        except (OwnerUnresolved, BackendDown, BackendFailed) as error:
            if self.app.options.debug:
                raise
            return owner, _unknown(f"{question}: {error.full_text}")
        chain = chain_of(self.cloud.context, backup)
        if chain.circular:
            return owner, _unknown(f"{question}: {chain.broken}")
        with ProgressLine(self.app.stderr) as progress:
            found = verified(driver, chain.backups, progress, sample)
        if chain.broken and found.needs_records:
            found.unknown.append(f"{question}: {chain.broken}")
        return owner, found


def _unknown(why: str) -> Verified:
    return Verified("nothing", unknown=[why])


def _share(text: str) -> float:
    try:
        percent = float(text)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= _WHOLE:
        raise argparse.ArgumentTypeError(f"{text} is no percentage above 0 and up to 100")
    return percent / _WHOLE
