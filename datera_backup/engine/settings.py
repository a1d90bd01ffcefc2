# SPDX-License-Identifier: Apache-2.0
"""How much of the machine a job may use."""

from __future__ import annotations

import os
from dataclasses import dataclass

from datera_backup.container import Codec

MIB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """Memory is bounded by about ``depth`` times twice ``batch_size``, plus three segments.

    :param workers: threads that digest and compress; 0 is one for each core that may be used.
    :param depth: batches under way at once; 0 is eight for each worker.
    :param batch_size: bytes of the source that a worker gets at a time.
    :param codec: what new blocks are compressed with.
    :param level: as the codec counts it.
    :param backup_rate: bytes of a volume that a backup may read in a second; 0 is no limit.
    :param restore_rate: bytes of a volume that a restore may give back in a second, or a
        verification look at; 0 is no limit.
    :raises ValueError: a number is out of its bounds.
    """

    workers: int = 0
    depth: int = 0
    batch_size: int = MIB
    codec: Codec = Codec.ZSTD
    level: int = 1
    backup_rate: int = 0
    restore_rate: int = 0

    def __post_init__(self) -> None:
        if self.workers < 0 or self.depth < 0 or self.batch_size < 1:
            raise ValueError("workers and depth must not be negative, batch_size be positive")
        if self.backup_rate < 0 or self.restore_rate < 0:
            raise ValueError("a rate must not be negative")

    @property
    def worker_count(self) -> int:
        """Threads that a job starts for the work between reading and writing."""
        return self.workers or len(os.sched_getaffinity(0))

    @property
    def batches(self) -> int:
        """Batches that may be under way at once."""
        return self.depth or 8 * self.worker_count
