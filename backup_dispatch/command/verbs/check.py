# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch check``: which backends there are, which of them are up, and what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from textwrap import wrap
from typing import Any

from cliff.lister import Lister
from oslo_config import cfg

from backup_dispatch import database
from backup_dispatch.backends.configured import Backend
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Lines, UpDown, YesNo, short_name
from backup_dispatch.command.durations import seconds
from backup_dispatch.command.outcome import NO, NOT_KNOWN
from backup_dispatch.errors import ConfigurationInvalid
from backup_dispatch.examination import deployment
from backup_dispatch.examination.backends import NEEDS_DATABASE, can_be_examined, examine
from backup_dispatch.examination.finding import Finding, State
from backup_dispatch.examination.side_by_side import Examined, examined
from backup_dispatch.examination.small_object import try_out

CONF = cfg.CONF

COLUMNS = (
    "Backend", "Driver", "Section", "Primary", "State", "Seconds", "Looked at", "Reason",
)  # fmt: skip
SERVICE = "(service)"
"""What stands for the service as a whole where the others have a backend's name."""

WIDTH = 44
"""Characters of the column that says what was looked at."""


class Check(CloudCommand, Lister):
    """Look at the service and each backend; exit 1 if one is down.

    Nothing is changed anywhere, unless --deep is given.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--timeout",
            type=seconds,
            metavar="SECONDS",
            help="timeout of each backend in seconds; default: backup_dispatch_check_timeout",
        )
        parser.add_argument(
            "--deep",
            action="store_true",
            help="also write, read back and delete a small object through each driver; takes as "
            "long as the drivers take, and mounts shares",
        )
        parser.add_argument(
            "--strict",
            action="store_true",
            help="exit with 1 on warnings too",
        )
        return parser

    def say_if_nothing_is_configured(self) -> None:
        """It has a line for that among its others."""

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Look at the service first, for without it no backend matters; then at all at once."""
        cloud = self.cloud
        runs = deployment.what_cinder_runs(CONF)
        backends = self._backends(runs)
        deadline = parsed_args.timeout or cloud.deadline
        looks = {SERVICE: partial(self._service, runs)}
        looks |= {backend.name: partial(examine, backend) for backend in backends}
        found = examined(looks, deadline)
        if parsed_args.deep:
            self._try_out(backends, found)
        worst = max(one.state for one in found.values())
        if worst is State.UNKNOWN:
            self.exit_code = NOT_KNOWN
        elif worst > State.UNKNOWN or (parsed_args.strict and worst > State.UP):
            self.exit_code = NO
        # Whole sentences in a column would tear the table apart.
        aside = parsed_args.formatter == "table" and not parsed_args.columns
        if aside:
            self._say_all(found)
        rows = [self._row(None, found[SERVICE])]
        rows += [self._row(backend, found[backend.name]) for backend in backends]
        if aside:
            return COLUMNS[:-1], [row[:-1] for row in rows]
        return COLUMNS, rows

    def _say_all(self, found: dict[str, Examined]) -> None:
        for name, one in found.items():
            for line in one.lines:
                if line != NEEDS_DATABASE:  # that one cannot be used, the service's line tells
                    self.say(f"{name}: {line}")

    def _backends(self, runs: Finding) -> tuple[Backend, ...]:
        """The backends; none where nothing of the dispatcher is configured.

        :raises ConfigurationInvalid: the options are invalid.
        """
        if runs.state is not State.UP:
            if not self.cloud.is_configured:
                return ()
            try:
                return self.cloud.enabled.enabled
            except ConfigurationInvalid:
                # Both are to be mended, and this one first.
                self.say(f"{SERVICE}: {runs.text}")
                raise
        return self.cloud.enabled.enabled

    def _try_out(self, backends: Sequence[Backend], found: dict[str, Examined]) -> None:
        """One backend after the other, and in this thread: Ctrl-C shall leave nothing behind."""
        self.cloud.start_coordination()
        for backend in backends:
            looked = found[backend.name]
            if not can_be_examined(backend):
                looked = Examined((Finding("that the driver loads"),), looked.seconds)
            if looked.state < State.UNWRITABLE:
                found[backend.name] = looked.and_then(partial(try_out, backend))

    def _service(self, runs: Finding) -> Iterator[Finding]:
        yield runs
        try:
            yield deployment.coordination(CONF, self.cloud.context)
            if runs.state is State.UP:
                yield from deployment.ownerless_records(self.cloud.context, self.cloud.enabled)
        except Exception as error:
            if not database.is_databases(error):
                raise
            yield Finding("", State.DOWN, database.unusable(error))

    def _row(self, backend: Backend | None, found: Examined) -> tuple[Any, ...]:
        if backend is None:
            what: tuple[Any, ...] = (SERVICE, "", "", YesNo(False))
        else:
            what = (
                backend.name,
                short_name(backend.class_path),
                self.cloud.section(backend),
                YesNo(backend is self.cloud.enabled.primary),
            )
        return (
            *what,
            UpDown(found.state),
            round(found.seconds, 1),
            Lines(wrap(", ".join(found.looked_at), WIDTH), found.looked_at),
            " ".join(found.lines),
        )
