# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch verify``: read backups back, and check what can be checked."""

from __future__ import annotations

import argparse
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.columns import Lines, Size
from backup_dispatch.command.durations import age, duration
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, misused
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from backup_dispatch.command.verification.one_or_many import OneOrMany
from backup_dispatch.command.verification.run import OfAll, verify_all
from backup_dispatch.drivers.verification import SampleRequest, Verdict, Verified
from backup_dispatch.jobs.verification.single import Unreachable, reached, verify_whole
from backup_dispatch.masking import masked

_WHOLE = 100.0

_CODES = {Verdict.SOUND: DONE, Verdict.DAMAGED: NO, Verdict.UNKNOWN: NOT_KNOWN}

_OF_WHOLE = (
    "is for one backup: --all remembers when each was last found sound as a whole. A part of all "
    "backups in each run: --share PERCENT."
)
_OF_ONE = ("sample", "seed")
_OF_ALL = ("backend", "newer_than", "unverified_since", "share", "time", "dry_run", "strict")


class Verify(OneOrMany):
    """Verify backups: sound, DAMAGED (exit 1), not known (exit 3).

    All is read that a restore reads. --all begins with the longest unverified.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.usage = (
            f"{prog_name} BACKUP [--sample PERCENT [--seed N]]\n"
            f"       {prog_name} --all [OPTION ...]"
        )
        parser.add_argument("backup", metavar="BACKUP", nargs="?", help=argparse.SUPPRESS)
        parser.add_argument(
            "--sample",
            type=_share,
            metavar="PERCENT",
            help="only this part of it, drawn at random; not with --all, which remembers verdicts "
            "of whole backups",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="draw the same sample again; default: a new one"
        )
        parser.add_argument("--all", action="store_true", help="all backups; with it these:")
        self._add_options_of_all(parser)
        return parser

    @staticmethod
    def _add_options_of_all(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--backend", metavar="B", help="those of this backend")
        parser.add_argument(
            "--newer-than", type=age, metavar="AGE", help="made in the last 12h, 7d …"
        )
        parser.add_argument(
            "--unverified-since", type=age, metavar="AGE", help="not verified in the last 30d, 8w …"
        )
        parser.add_argument(
            "--share", type=_share, metavar="PERCENT", help="only this part of all, by their size"
        )
        parser.add_argument("--time", type=duration, metavar="T", help="end after 45m, 2h …")
        parser.add_argument("--dry-run", action="store_true", help="show the order, and why")
        parser.add_argument(
            "--strict", action="store_true", help="exit 1 also for damage that was told before"
        )

    def job_of(self, parsed_args: argparse.Namespace) -> str:
        """A run over all backups."""
        return "verify" if parsed_args.all and not parsed_args.dry_run else ""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Read, and tell what was found."""
        every = bool(parsed_args.all)
        if every == (parsed_args.backup is not None):
            misused("Give a BACKUP, or --all.")
        for name in _OF_ONE if every else _OF_ALL:
            if getattr(parsed_args, name) not in (None, False):
                option = f"--{name.replace('_', '-')}"
                misused(f"{option} {_OF_WHOLE}" if every else f"{option} needs --all.")
        self.require_format(parsed_args, many=every)
        if every:
            self.exit_code, columns, rows = verify_all(self, OfAll.by(self.cloud, parsed_args))
            return columns, rows
        return self._one(parsed_args)

    def _one(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
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
        try:
            owner, driver = reached(self.cloud, backup)
        except Unreachable as unreachable:
            if self.app.options.debug and unreachable.__cause__ is not None:
                raise unreachable.__cause__ from None
            return unreachable.owner, unreachable.found
        with ProgressLine(self.app.stderr) as progress:
            return owner, verify_whole(self.cloud, driver, backup, progress, sample)


def _share(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= _WHOLE:
        raise argparse.ArgumentTypeError(f"{text} is no percentage above 0 and up to 100")
    return percent / _WHOLE
