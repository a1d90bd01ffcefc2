# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch metrics``: how things stand, for Prometheus."""

from __future__ import annotations

import argparse
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.durations import seconds
from backup_dispatch.command.outcome import NOT_KNOWN, misused, refuse
from backup_dispatch.errors import reason_of
from backup_dispatch.jobs.metrics.serving import Latest, server

if TYPE_CHECKING:
    from backup_dispatch.jobs.metrics.exposition import Exposition

CONF = cfg.CONF

INTERVAL = 60.0
HIGHEST_PORT = 65535
MOST_PREFIXES = 50

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]*):([0-9]{1,5})")
_PREFIX = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Metrics(CloudCommand):
    """Write how things stand, in Prometheus' text format.

    To stdout, to a file for node_exporter's textfile collector, or over HTTP until it is ended.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="replace this file as a whole; for the textfile collector its name ends in .prom",
        )
        where.add_argument(
            "--listen",
            type=_address,
            metavar="HOST:PORT",
            help="serve /metrics and /health there, as 127.0.0.1:9917, until ended; port 0: a free "
            "one, which is told",
        )
        parser.add_argument(
            "--interval",
            type=seconds,
            metavar="SECONDS",
            help=f"with --listen: between two snapshots; default: {INTERVAL:g}",
        )
        parser.add_argument(
            "--prefix",
            type=_prefix,
            action="append",
            default=[],
            metavar="P",
            help="tell the newest backups apart by this prefix of their names too, such as "
            "ceph_nightly; can be repeated",
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

    def take_action(self, parsed_args: argparse.Namespace) -> int | None:
        """Write once, or serve."""
        if parsed_args.interval is not None and parsed_args.listen is None:
            misused("--interval is for --listen: a timer decides how often a file is written.")
        if len(parsed_args.prefix) > MOST_PREFIXES:
            misused(f"Of --prefix there may be {MOST_PREFIXES} at most: each makes more series.")
        try:
            from backup_dispatch.jobs.metrics.exposition import Exposition
        except ModuleNotFoundError as missing:
            if missing.name != "prometheus_client":
                raise
            misused(
                "The package prometheus_client is not installed. Install it where Cinder is: "
                "pip install 'backup-dispatch[metrics]'"
            )
        deadline = parsed_args.timeout or self.cloud.deadline

        def read() -> Exposition:
            found = self.cloud.standing(None if parsed_args.no_check else deadline)
            return Exposition(found, parsed_args.prefix)

        if parsed_args.listen is not None:
            self._serve(parsed_args, lambda: read().text)
        elif parsed_args.output is not None:
            self.require_writable(parsed_args.output)
            self.replace_file(parsed_args.output, self._told(read()))
        else:
            self.app.stdout.write(self._told(read()))
        return None

    def _told(self, exposition: Exposition) -> str:
        for line in exposition.not_known:
            self.exit_code = NOT_KNOWN
            self.say(line)
        return exposition.text

    def _serve(self, parsed_args: argparse.Namespace, read: Any) -> None:
        # Invalid options shall end the command, and not each reading.
        _ = self.cloud.enabled
        host, port = parsed_args.listen
        latest = Latest(read, parsed_args.interval or INTERVAL)
        try:
            serving = server(host, port, latest)
        except OSError as error:
            refuse(f"Nothing can listen at {host}:{port}: {reason_of(error)}")

        def keep_fresh() -> None:
            latest.refresh()
            latest.keep_fresh()

        threading.Thread(target=keep_fresh, name="snapshots", daemon=True).start()
        shown = f"[{host}]" if ":" in host else host
        self.say(f"Serving http://{shown}:{serving.server_port}/metrics and /health.")
        self.app.stderr.flush()
        try:
            serving.serve_forever()
        finally:
            latest.stop()
            serving.server_close()


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[2]) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address to listen at: write HOST:PORT, such as 127.0.0.1:9917"
        )
    return found[1].strip("[]") or "127.0.0.1", int(found[2])


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no prefix: write letters, digits, '.', '_' and '-', 64 at most"
        )
    return text
