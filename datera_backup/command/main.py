# SPDX-License-Identifier: Apache-2.0
"""``datera-backup inspect DEVICE`` and ``datera-backup orphans``.

The first needs neither a configuration nor Cinder nor a cluster: whoever has attached a container's
device, or a copy of it, sees what is in it. The second is the dispatcher's own command.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import stat
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from datera_backup.command import report
from datera_backup.command.inspection import UNREAD, inspect
from datera_backup.container import ContainerError

NAME = "datera-backup"
ORPHANS = "orphans"
SOUND, DAMAGED, UNUSABLE, NOT_KNOWN, CANCELLED = 0, 1, 2, 3, 130
CODES = {"sound": SOUND, "DAMAGED": DAMAGED, "not known": NOT_KNOWN}

UNOPENED = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM)
"""Errors of a device that was named wrongly, or by somebody who may not read it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    :param argv: the arguments; those of the process if None.
    :returns: 0 if all that was read is sound, 1 if something is damaged or no container is there,
        2 if the device cannot be opened, 3 if it, or something in it, could not be read; for
        ``orphans``, what the dispatcher's command ends with.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [ORPHANS]:
        # It needs Cinder's configuration and records, which are the dispatcher's to find. Cinder
        # takes seconds to import: whoever inspects a device need not wait for it.
        from backup_dispatch.command.main import main as dispatch

        return dispatch(arguments)
    options = _parser().parse_args(arguments)
    try:
        return _inspect(options.device, options.format)
    except KeyboardInterrupt:
        return _failed("cancelled", CANCELLED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=NAME, description="Looks into the containers of the Datera backup driver."
    )
    parser.add_argument("--version", action="version", version=metadata.version("backup-dispatch"))
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    inspection = commands.add_parser(
        "inspect",
        help="show what lies in a container",
        description="Shows superblocks, backups, their chain and how their blocks are stored; exit "
        "1 if something is damaged, 3 if something could not be read. Nothing is written. The "
        "blocks themselves are not read: backup-dispatch verify does that.",
    )
    inspection.add_argument(
        "device", type=Path, metavar="DEVICE", help="a device node, or a file with a copy of it"
    )
    inspection.add_argument("-f", "--format", choices=["table", "json"], default="table")
    commands.add_parser(
        ORPHANS, help="list containers that no record of Cinder names (backup-dispatch orphans)"
    )
    return parser


def _inspect(device: Path, form: str) -> int:
    try:
        mode = os.stat(device).st_mode
        if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
            return _failed(f"{device} is neither a block device nor a file.", UNUSABLE)
        found = inspect(device)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        hint = " Be root, or one of the group disk." if isinstance(exc, PermissionError) else ""
        code = UNUSABLE if exc.errno in UNOPENED else NOT_KNOWN
        return _failed(f"{device} cannot be read: {reason}.{hint}", code)
    except UNREAD as exc:
        return _failed(f"{device}: {exc}", NOT_KNOWN)
    except ContainerError as exc:
        return _failed(f"{device}: {exc}", DAMAGED)
    text = json.dumps(report.as_json(found), indent=2) if form == "json" else report.as_text(found)
    sys.stdout.write(f"{text}\n")
    return CODES[report.verdict(found)]


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"{NAME}: {text}\n")
    return code
