# SPDX-License-Identifier: Apache-2.0
"""The resources that a job may use."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from datera_backup.container import MIB, Codec

_MOST_SEGMENTS = 3
"""Of 8 MiB each: with 5 ms for each, 4.7 GiB a second are written."""


@dataclass(frozen=True)
class EngineSettings:
    """Memory is bounded in bytes, whatever the volume's and the blocks' size.

    A backup has :attr:`batches`, what each worker is making of one, and :attr:`segment_writes` and
    one more segments; a restore has :attr:`batch_writes` instead of the latter. What waits to be
    written may lie in buffers with an eighth of other bytes, and 12 MiB of buffers are kept unused.

    :param workers: threads that digest and compress; 0 is one for each core that may be used.
    :param requests: reads and writes of volume and containers that are made at once, each by a
        thread of its own.
    :param depth: batches that are read, or about to be, and not yet handed on to be written; 0 is
        one for each request and two for each worker.
    :param batch_size: bytes of the source that a worker gets at a time; where they are more than a
        MiB, accordingly fewer batches are under way.
    :param codec: what new blocks are compressed with.
    :param level: as the codec counts it.
    :param backup_rate: bytes of a volume that a backup may read in a second; 0 is no limit.
    :param restore_rate: bytes of a volume that a restore may give back in a second, or a
        verification look at; 0 is no limit.
    :raises ValueError: a number is out of its bounds.
    """

    workers: int = 0
    requests: int = 24
    depth: int = 0
    batch_size: int = MIB
    codec: Codec = Codec.ZSTD
    level: int = 1
    backup_rate: int = 0
    restore_rate: int = 0

    def __post_init__(self) -> None:
        if self.workers < 0 or self.depth < 0 or self.batch_size < 1:
            raise ValueError(
                "workers and depth must not be negative, and batch_size must be positive"
            )
        if self.requests < 1:
            raise ValueError("there must be one request at least")
        if self.backup_rate < 0 or self.restore_rate < 0:
            raise ValueError("a rate must not be negative")

    def within(self, requests: int) -> EngineSettings:
        """Return the same with no more requests at once than these."""
        return replace(self, requests=min(self.requests, requests))

    @property
    def worker_count(self) -> int:
        """Threads that a job starts for the work between reading and writing."""
        return self.workers or len(os.sched_getaffinity(0))

    def for_blocks(self, size: int) -> EngineSettings:
        """Return the same with batches of whole blocks."""
        return replace(self, batch_size=max(1, self.batch_size // size) * size)

    @property
    def batches(self) -> int:
        """Batches that may be under way at once."""
        return self._as_bytes(self.depth or self.requests + 2 * self.worker_count)

    @property
    def batch_writes(self) -> int:
        """Batches that a restore may be writing at once."""
        return self._as_bytes(self.requests)

    @property
    def segment_writes(self) -> int:
        """Segments that a backup may be writing at once."""
        return min(self.requests, _MOST_SEGMENTS)

    def _as_bytes(self, batches: int) -> int:
        """Return how many batches take no more bytes than so many of a MiB."""
        return max(1, batches * MIB // max(MIB, self.batch_size))
