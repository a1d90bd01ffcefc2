# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch report``: how things stand, on one page for people."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from oslo_config import cfg

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.durations import seconds
from backup_dispatch.command.outcome import NOT_KNOWN, misused

CONF = cfg.CONF

HTML, TEXT, JSON = "html", "text", "json"

_PACKAGES = ("jinja2", "markupsafe", "svg")


class Report(CloudCommand):
    """Show how things stand on one page.

    As HTML with pictures, which needs no network; as text for mail, at most 72 columns wide; or as
    JSON. Nothing is changed anywhere.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "-f", "--format", choices=(HTML, TEXT, JSON), help="default: html with --output"
            " FILE.html, else text"
        )  # fmt: skip
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="replace this file as a whole"
        )
        parser.add_argument(
            "--title", metavar="TEXT", help="which cloud this is; default: the host's name"
        )
        parser.add_argument(
            "--no-check", action="store_true", help="do not ask the backends whether they are up"
        )
        parser.add_argument(
            "--timeout",
            type=seconds,
            metavar="SECONDS",
            help="timeout of each backend in seconds; default: backup_dispatch_check_timeout",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Read the snapshot, and show it."""
        output: Path | None = parsed_args.output
        kind = parsed_args.format or _format_of(output)
        if output is not None:
            self.require_writable(output)
        try:
            text = self._text(parsed_args, kind)
        except ModuleNotFoundError as missing:
            if missing.name not in _PACKAGES:
                raise
            misused(
                f"The package that brings {missing.name} is not installed. Install it where Cinder "
                "is: pip install 'backup-dispatch[report]'"
            )
        if output is None:
            self.app.stdout.write(text)
        else:
            self.replace_file(output, text)

    def _text(self, parsed_args: argparse.Namespace, kind: str) -> str:
        # Here, because the service's host need not have what pictures need.
        from backup_dispatch.jobs.report.contents import contents_of

        if kind == HTML:
            from backup_dispatch.jobs.report.page import page_of
        deadline = parsed_args.timeout or self.cloud.deadline
        found = self.cloud.standing(None if parsed_args.no_check else deadline)
        if found.not_known:
            self.exit_code = NOT_KNOWN
        contents = contents_of(found, parsed_args.title or CONF.host)
        if kind == HTML:
            return page_of(contents)
        if kind == JSON:
            from backup_dispatch.jobs.report.values import values_of

            return json.dumps(values_of(contents), indent=2) + "\n"
        from backup_dispatch.jobs.report.text import text_of

        return text_of(contents)


def _format_of(output: Path | None) -> Any:
    return HTML if output is not None and output.suffix in (".html", ".htm") else TEXT
