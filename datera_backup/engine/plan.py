# SPDX-License-Identifier: Apache-2.0
"""In what parts, and in which order, volumes and containers are read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from datera_backup.container import ChunkMap


@dataclass(frozen=True)
class Run:
    """Blocks whose stored bytes lie one after the other.

    :param places: their numbers within the chunk.
    """

    chunk: ChunkMap
    container: UUID
    offset: int
    length: int
    places: tuple[int, ...]

    def blocks(self) -> Iterator[tuple[int, int, int]]:
        """Yield each block's place, where in the run its stored bytes begin, and their number."""
        rows, lengths = self.chunk.rows, self.chunk.lengths
        at = 0
        for place in self.places:
            length = lengths[rows[place]]
            yield place, at, length
            at += length


def parts(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield a range in parts that end at multiples of ``size``, but for the last one."""
    while start < end:
        until = min(end, (start // size + 1) * size)
        yield start, until
        start = until


def runs(
    chunk: ChunkMap,
    max_blocks: int,
    max_length: int,
    chosen: Callable[[int], bool] | None = None,
) -> Iterator[Run]:
    """Yield the chunk's stored blocks, each once, by container and place in it.

    :param chosen: tells of a block's number within the chunk whether to read it; None: all.
    """
    places = [
        place
        for place, codec in enumerate(chunk.codecs)
        if codec and (chosen is None or chosen(place))
    ]
    rows = [chunk.rows[place] for place in places]
    # A tuple for each block, and no call: this runs while nothing else of the process can.
    stored = zip(
        map(chunk.indices.__getitem__, rows),
        map(chunk.offsets.__getitem__, rows),
        map(chunk.lengths.__getitem__, rows),
        places,
        strict=True,
    )
    run: list[int] = []
    index = start = end = 0
    for its_index, offset, length, place in sorted(stored):
        if run and not (
            offset == end
            and its_index == index
            and len(run) < max_blocks
            and end - start + length <= max_length
        ):
            yield Run(chunk, chunk.containers[index], start, end - start, tuple(run))
            run = []
        if not run:
            index, start = its_index, offset
        run.append(place)
        end = offset + length
    if run:
        yield Run(chunk, chunk.containers[index], start, end - start, tuple(run))
