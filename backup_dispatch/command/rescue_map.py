# SPDX-License-Identifier: Apache-2.0
"""The map of a salvaged file, in the format of GNU ddrescue (its manual, "Mapfile structure")."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from backup_dispatch.drivers.interface import MissingRange

SUFFIX = ".map"
"""The suffix to the name of the salvaged file."""

_FINISHED = "+"
_BAD = "-"


class OutputExists(Exception):
    """The salvaged file would overwrite something."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already: name another output.")


def path_beside(output: Path) -> Path:
    """Return the path of the map of a file that is to be written.

    :raises OutputExists: one of the two exists already.
    """
    beside = output.with_name(output.name + SUFFIX)
    for path in (output, beside):
        if os.path.lexists(path):
            raise OutputExists(path)
    return beside


def opened(output: Path) -> BinaryIO:
    """Open the file that is to be written, which no other user may read: it is a volume.

    :raises FileExistsError: there is one by now.
    :raises OSError: it cannot be created.
    """
    return open(output, "xb", opener=lambda path, flags: os.open(path, flags, 0o600))


def write(path: Path, size: int, missing: Sequence[MissingRange], about: str) -> None:
    """Write a new map.

    :param size: bytes of the volume.
    :param missing: the missing ranges, in the order of the volume.
    :param about: one line that describes the map.
    :raises OSError: it cannot be written, or exists already.
    """
    with path.open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(size, missing, about))


def lines(size: int, missing: Sequence[MissingRange], about: str) -> Iterator[str]:
    """Yield the lines of a map; see :func:`write`."""
    yield f"# Mapfile. {' '.join(about.split())}"
    for one in missing:
        yield f"# {one.offset:#x}: {' '.join(one.reason.split())}"
    yield "# current_pos  current_status  current_pass"
    yield f"{size:#012x}     {_FINISHED}               1"
    yield "#      pos        size  status"
    for offset, length, status in ranges(size, missing):
        yield f"{offset:#012x}  {length:#012x}  {status}"


def ranges(size: int, missing: Iterable[MissingRange]) -> Iterator[tuple[int, int, str]]:
    """Yield ranges (offset, length, status) that cover the volume without gaps."""
    at = bad = 0
    for one in sorted(missing, key=lambda each: each.offset):
        if one.offset > bad:
            if bad > at:
                yield at, bad - at, _BAD
            yield bad, one.offset - bad, _FINISHED
            at = one.offset
        bad = max(bad, one.offset + one.length)
    if bad > at:
        yield at, bad - at, _BAD
    if bad < size:
        yield bad, size - bad, _FINISHED
