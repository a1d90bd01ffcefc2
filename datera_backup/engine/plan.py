# SPDX-License-Identifier: Apache-2.0
"""In which order a chunk's blocks are read: as they lie in their containers."""

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


def runs(
    chunk: ChunkMap,
    max_blocks: int,
    max_length: int,
    chosen: Callable[[int], bool] | None = None,
) -> Iterator[Run]:
    """Yield the chunk's stored blocks, each once, by container and place in it.

    :param chosen: tells of a block's number within the chunk whether to read it; None: all.
    """
    rows, indices, offsets, lengths = chunk.rows, chunk.indices, chunk.offsets, chunk.lengths
    places = [
        place
        for place, codec in enumerate(chunk.codecs)
        if codec and (chosen is None or chosen(place))
    ]
    places.sort(key=lambda place: (indices[rows[place]], offsets[rows[place]]))
    run: list[int] = []
    index = start = end = 0
    for place in places:
        row = rows[place]
        fits = len(run) < max_blocks and end - start + lengths[row] <= max_length
        if run and not (fits and indices[row] == index and offsets[row] == end):
            yield Run(chunk, chunk.containers[index], start, end - start, tuple(run))
            run = []
        if not run:
            index, start = indices[row], offsets[row]
        run.append(place)
        end = offsets[row] + lengths[row]
    if run:
        yield Run(chunk, chunk.containers[index], start, end - start, tuple(run))
