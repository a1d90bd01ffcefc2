# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch salvage``: get back what is sound of a damaged backup."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cliff.show import ShowOne

from backup_dispatch.command import rescue_map
from backup_dispatch.command.base import CloudCommand
from backup_dispatch.command.columns import Lines, Size
from backup_dispatch.command.outcome import DONE, NO, misused
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.drivers.interface import SupportsSalvage
from backup_dispatch.drivers.offers import offered
from backup_dispatch.masking import masked

_SHOWN = 20


class Salvage(CloudCommand, ShowOne):
    """Write all undamaged data of a backup to a new file.

    Exit 1 if anything is missing: OUTPUT.map then lists, in ddrescue's format, what is missing and
    why.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's arguments."""
        parser = super().get_parser(prog_name)
        parser.add_argument("backup", metavar="BACKUP", help="its ID, or its name if unique")
        parser.add_argument(
            "output", type=Path, metavar="OUTPUT", help="a new file, which will be sparse"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Write what there is, and tell what is missing."""
        output: Path = parsed_args.output
        try:
            map_path = rescue_map.path_beside(output)
        except rescue_map.OutputExists as exists:
            misused(str(exists))
        backup = self.cloud.backup(parsed_args.backup)
        owner = self.cloud.owner(backup)
        driver = self.cloud.driver(owner, backup)
        salvager = offered(driver, SupportsSalvage)
        if salvager is None:
            misused(
                f"Backend {owner.name} has no way to salvage a backup. A restore gives back what "
                "there is, up to the first damage."
            )
        try:
            with rescue_map.opened(output) as file, ProgressLine(self.app.stderr) as progress:
                size, missing = salvager.salvage(backup, file, progress)
        except FileExistsError:
            raise  # it was not there just now: it is somebody else's
        except BaseException:
            # Without its map it would pass for a whole one.
            output.unlink(missing_ok=True)
            raise
        about = f"Backup {backup.id} of volume {backup.volume_id}, by backup-dispatch salvage"
        rescue_map.write(map_path, size, missing, about)
        self.exit_code = NO if missing else DONE
        reasons = [f"byte {one.offset}: {one.reason}" for one in missing[:_SHOWN]]
        if len(missing) > _SHOWN:
            reasons.append(f"and {len(missing) - _SHOWN} more places: {map_path} has all")
        shown: dict[str, Any] = {
            "backup": backup.id,
            "backend": owner.name,
            "output": str(output),
            "map": str(map_path),
            "size": Size(size),
            "missing": Size(sum(one.length for one in missing)),
            "places": Lines([masked(line) for line in reasons]),
        }
        if not missing:
            del shown["places"]
        return self.dict2columns(shown)
