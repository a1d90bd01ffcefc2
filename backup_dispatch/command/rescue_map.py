# SPDX-License-Identifier: Apache-2.0
"""The map of what was salvaged, in the format of GNU ddrescue (its manual, "Mapfile structure")."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

SUFFIX = ".map"
"""What is added to the name of the file that was salvaged."""

_FINISHED = "+"
_BAD = "-"


class Missing(Protocol):
    """A range of the volume that is not there."""

    @property
    def offset(self) -> int:
        """Its first byte."""

    @property
    def length(self) -> int:
        """Its bytes."""

    @property
    def reason(self) -> str:
        """What was found in its place."""


class OutputExists(Exception):
    """What is salvaged would be written over something."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already: name another output.")


def path_beside(output: Path) -> Path:
    """Return where the map of a file that is about to be written belongs.

    :raises OutputExists: one of the two is there already.
    """
    beside = output.with_name(output.name + SUFFIX)
    for path in (output, beside):
        if os.path.lexists(path):
            raise OutputExists(path)
    return beside


def write(path: Path, size: int, missing: Sequence[Missing], about: str) -> None:
    """Write a new map.

    :param size: bytes of the volume.
    :param missing: what is not there, in the order of the volume.
    :param about: one line that says what the map is of.
    :raises OSError: it cannot be written, or is there already.
    """
    with path.open("x", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines(size, missing, about))


def lines(size: int, missing: Sequence[Missing], about: str) -> Iterator[str]:
    """Yield the lines of a map; see :func:`write`."""
    yield f"# Mapfile. {' '.join(about.split())}"
    for one in missing:
        yield f"# {one.offset:#x}: {' '.join(one.reason.split())}"
    yield "# current_pos  current_status  current_pass"
    yield f"{size:#012x}     {_FINISHED}               1"
    yield "#      pos        size  status"
    for offset, length, status in ranges(size, missing):
        yield f"{offset:#012x}  {length:#012x}  {status}"


def ranges(size: int, missing: Iterable[Missing]) -> Iterator[tuple[int, int, str]]:
    """Yield ranges (offset, length, status) that cover the volume without a gap."""
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
