# SPDX-License-Identifier: Apache-2.0
"""``datera-backup inspect DEVICE``, ``datera-backup salvage …`` and ``datera-backup orphans``.

The first two need neither a configuration nor Cinder nor a cluster: whoever has attached a
container's device, or a copy of it, sees what is in it and gets it back. The last is the
dispatcher's own command.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from uuid import UUID

from backup_dispatch.command import rescue_map
from datera_backup.command import report, salvage
from datera_backup.command.inspection import UNREAD, inspect, is_unreadable
from datera_backup.container import ContainerError, notices
from datera_backup.engine import VolumeFailed

NAME = "datera-backup"
ORPHANS = "orphans"
SALVAGE = "salvage"
SOUND, DAMAGED, UNUSABLE, NOT_KNOWN, CANCELLED = 0, 1, 2, 3, 130
CODES = {"sound": SOUND, "DAMAGED": DAMAGED, "not known": NOT_KNOWN}

UNOPENED = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM)
"""Errors of a device that does not exist or that this user may not read."""


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
    parser, salvaging = _parsers()
    try:
        if arguments[:1] == [SALVAGE]:
            # So that options may stand between DEVICE and what may be left out behind it.
            return _salvage(salvaging, salvaging.parse_intermixed_args(arguments[1:]))
        options = parser.parse_args(arguments)
        return _looked_at(options.device, lambda: _inspect(options.device, options.format))
    except KeyboardInterrupt:
        return _failed("cancelled", CANCELLED)


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return the one of all commands, and that of salvage."""
    parser = argparse.ArgumentParser(
        prog=NAME, description="Looks into the containers of the Datera backup driver."
    )
    parser.add_argument("--version", action="version", version=metadata.version("backup-dispatch"))
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
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
    salvaging = commands.add_parser(
        SALVAGE,
        help="get back what is sound of a damaged backup",
        usage=f"{NAME} {SALVAGE} DEVICE [--with DEVICE …] (BACKUP OUTPUT | --list)",
        description="Writes a backup's volume as far as its blocks are found and are what was "
        "backed up, and beside it OUTPUT.map, which says in ddrescue's format what is missing. "
        "Superblocks are not required: without them the devices are scanned. Exit 1 if anything is "
        "missing. Nothing is written to the devices.",
    )
    salvaging.add_argument("device", type=Path, metavar="DEVICE", help="as for inspect")
    salvaging.add_argument("backup", nargs="?", type=_uuid, metavar="BACKUP", help="its id")
    salvaging.add_argument(
        "output", nargs="?", type=Path, metavar="OUTPUT", help="a new file, which will be sparse"
    )
    salvaging.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        type=Path,
        metavar="DEVICE",
        help="another container of the same chain; as often as there are more",
    )
    salvaging.add_argument(
        "--list", action="store_true", help="only list the backups that are found"
    )
    commands.add_parser(
        ORPHANS, help="list containers that no record of Cinder names (backup-dispatch orphans)"
    )
    return parser, salvaging


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a backup ID") from None


def _inspect(device: Path, form: str) -> int:
    found = inspect(device)
    notices.told()  # the report has all of them
    text = json.dumps(report.as_json(found), indent=2) if form == "json" else report.as_text(found)
    sys.stdout.write(f"{text}\n")
    return CODES[report.verdict(found)]


def _salvage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    devices = [options.device, *options.more]
    if options.list:
        if options.backup is not None:
            parser.error("--list takes no BACKUP")
        return _looked_at(options.device, lambda: _list(devices))
    if options.output is None:
        parser.error("name BACKUP and OUTPUT, or say --list")
    return _looked_at(options.device, lambda: _write(devices, options.backup, options.output))


def _list(devices: Sequence[Path]) -> int:
    sys.stdout.write(f"{salvage.table(salvage.list_backups(devices))}\n")
    return SOUND


def _write(devices: Sequence[Path], backup_id: UUID, output: Path) -> int:
    try:
        found = salvage.salvage(devices, backup_id, output)
    except rescue_map.OutputExists as exc:
        return _failed(str(exc), UNUSABLE)
    except VolumeFailed as exc:
        return _failed(f"{output} {exc.finding}. It was removed.", UNUSABLE)
    except OSError as exc:
        if exc.filename is not None and Path(exc.filename) in devices:
            raise
        return _failed(f"{output} cannot be written: {exc.strerror}.", UNUSABLE)
    sys.stdout.write(f"{salvage.told(found, output)}\n")
    return DAMAGED if found.missing else SOUND


def _looked_at(device: Path, look: Callable[[], int]) -> int:
    """Look, and say in one line what keeps one from it."""
    try:
        mode = os.stat(device).st_mode
        if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
            return _failed(f"{device} is neither a block device nor a file.", UNUSABLE)
        try:
            return look()
        finally:
            for notice in notices.told():
                sys.stderr.write(f"{NAME}: {notice}\n")
    except OSError as exc:
        named = exc.filename or device
        reason = exc.strerror or str(exc)
        hint = (
            " Run as root, or as a member of group disk."
            if isinstance(exc, PermissionError)
            else ""
        )
        code = UNUSABLE if exc.errno in UNOPENED else NOT_KNOWN
        return _failed(f"{named} cannot be read: {reason}.{hint}", code)
    except UNREAD as exc:
        return _failed(f"{device}: {exc}", NOT_KNOWN)
    except ContainerError as exc:
        return _failed(f"{device}: {exc}", NOT_KNOWN if is_unreadable(exc) else DAMAGED)


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"{NAME}: {text}\n")
    return code
