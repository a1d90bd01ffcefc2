# SPDX-License-Identifier: Apache-2.0
"""``datera-backup salvage``: all that is sound of a backup, and a map of what is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

from prettytable import PrettyTable

from backup_dispatch.command import rescue_map
from backup_dispatch.command.progress import ProgressLine
from backup_dispatch.command.units import in_units
from datera_backup.command.inspection import when
from datera_backup.container import FileDevice
from datera_backup.engine import EngineSettings, FileSink
from datera_backup.engine.salvage import Salvageable, Salvaged, Salvaging

_SHOWN = 20


def list_backups(devices: Sequence[Path]) -> list[Salvageable]:
    """Return the backups that there are on some devices.

    :raises ContainerError: none of them holds anything of a container.
    :raises OSError: one of them cannot be opened.
    """
    with _opened(devices) as salvaging:
        return salvaging.backups()


def salvage(devices: Sequence[Path], backup_id: UUID, output: Path) -> Salvaged:
    """Write a backup as far as there is one, and beside it the map of what is missing.

    :param output: the volume, as a sparse file; the map is ``output`` with ``.map`` behind it.
    :raises OutputExists: one of the two is there already.
    :raises ContainerError: there is no such backup on the devices.
    :raises OSError: a device cannot be opened, or the output not be written.
    """
    map_path = rescue_map.path_beside(output)
    with _opened(devices) as salvaging, ProgressLine(sys.stderr) as progress:
        reader = salvaging.reader(backup_id)
        with rescue_map.opened(output) as file:
            try:
                file.truncate(reader.commit.source_size)
                sink = FileSink(file.fileno())
                found = salvaging.salvage(reader, sink, EngineSettings(), progress)
            except BaseException:
                # Without its map it would pass for a whole one.
                output.unlink(missing_ok=True)
                raise
    about = f"Backup {backup_id} of volume {reader.commit.volume_id}, by datera-backup salvage"
    rescue_map.write(map_path, reader.commit.source_size, found.missing, about)
    return found


@contextmanager
def _opened(devices: Sequence[Path]) -> Iterator[Salvaging]:
    with ExitStack() as stack:
        opened = [stack.enter_context(FileDevice(path, writable=False)) for path in devices]
        progress = stack.enter_context(ProgressLine(sys.stderr))
        yield Salvaging(opened, progress)


def table(backups: Sequence[Salvageable]) -> str:
    """Return the list for a terminal."""
    if not backups:
        return "No backup was found."
    shown = PrettyTable(["Backup", "Parent", "Of", "Volume size", "Found"])
    shown.align = "l"
    for one in backups:
        commit = one.commit
        shown.add_row(
            [
                commit.backup_id,
                str(commit.parent_id or "")[:8],
                when(commit.created),
                in_units(commit.source_size),
                "by a scan" if one.by_scan else "in place",
            ]
        )
    return str(shown.get_string())


def told(found: Salvaged, output: Path) -> str:
    """Return what came of it, for a terminal."""
    size = found.commit.source_size
    if not found.missing:
        return f"{output}: {in_units(size)}, all of it is sound."
    lines = [
        f"{output}: {in_units(size)}, of which {in_units(found.missing_bytes)} are missing "
        f"({output}{rescue_map.SUFFIX} says where):",
        *(f"  byte {one.offset}: {one.reason}" for one in found.missing[:_SHOWN]),
    ]
    if len(found.missing) > _SHOWN:
        lines.append(f"  … and {len(found.missing) - _SHOWN} more places.")
    return "\n".join(lines)
