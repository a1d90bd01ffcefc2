# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch check``: which backends there are, and which of them are up."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.lister import Lister

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import UpDown, YesNo, short_name
from backup_dispatch.command.health import answers
from backup_dispatch.command.outcome import NO
from backup_dispatch.process import check_of

COLUMNS = ("Backend", "Driver", "Section", "Primary", "State", "Seconds", "Reason")


class Check(CloudCommand, Lister):
    """Check every backend, as the service does at its start; exit 1 if one is down."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="seconds that each backend has to answer; else backup_dispatch_check_timeout",
        )
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Ask all at once."""
        enabled = self.cloud.enabled
        found = answers(
            {backend.name: check_of(backend) for backend in enabled.enabled},
            parsed_args.timeout or self.cloud.deadline,
        )
        if not all(answer.up for answer in found.values()):
            self.exit_code = NO
        # Whole sentences in a column would tear the table apart.
        aside = parsed_args.formatter == "table" and not parsed_args.columns
        rows = []
        for backend in enabled.enabled:
            answer = found[backend.name]
            rows.append(
                (
                    backend.name,
                    short_name(backend.class_path),
                    self.cloud.section(backend),
                    YesNo(backend is enabled.primary),
                    UpDown(answer.up),
                    round(answer.seconds, 1),
                    answer.reason,
                )
            )
            if aside and not answer.up:
                self.say(f"{backend.name} is down: {answer.reason}")
        if aside:
            return COLUMNS[:-1], [row[:-1] for row in rows]
        return COLUMNS, rows
