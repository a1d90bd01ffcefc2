# SPDX-License-Identifier: Apache-2.0
"""Checking a device that is larger than its volume for data behind the volume's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datera_backup.engine.pipeline.buffers import Buffers
from datera_backup.engine.pipeline.job import Job, Progress, Step
from datera_backup.engine.pipeline.requests import Requests
from datera_backup.engine.settings import EngineSettings
from datera_backup.engine.source import Source


class SurplusJob(Job[int | None]):
    """Reads a source from some offset to its end; gives the place of the first byte not zero.

    It gives None where there is none. No more is read once one was found. Holes are not read.
    """

    def __init__(self, source: Source, start: int, settings: EngineSettings | None = None) -> None:
        """Prepare; nothing is read yet.

        :param start: where the surplus begins.
        """
        settings = settings or EngineSettings()
        stages = _Stages(source, start, settings)
        super().__init__(stages, Requests(), settings, settings.backup_rate)


@dataclass
class Batch:
    """Bytes of the surplus."""

    offset: int
    length: int
    buffer: memoryview | None = None


class _Stages:
    def __init__(self, source: Source, start: int, settings: EngineSettings) -> None:
        self._source = source
        self._start = start
        self._size = settings.batch_size
        self._zeros = bytearray(self._size)
        self._buffers = Buffers(self._size, settings.batches)
        self._found: int | None = None

    def produce(self) -> Iterator[Step[Batch]]:
        for start, end in self._source.extents():
            for offset in range(max(start, self._start), end, self._size):
                if self._found is not None:
                    return
                length = min(self._size, end - offset)
                yield Step(Batch(offset, length), needs_fetch=True, moves=length)

    def fetch(self, batch: Batch) -> None:
        batch.buffer = self._buffers.take()
        self._source.readinto(batch.offset, batch.buffer[: batch.length])

    def worker(self) -> Callable[[Batch], None]:
        return lambda _batch: None  # comparing with zeros is quicker than handing over

    def consume(self, batch: Batch) -> None:
        if batch.buffer is None:
            return
        data = batch.buffer[: batch.length]
        zeros = self._zeros if len(data) == self._size else bytearray(len(data))
        if self._found is None and zeros != data:
            self._found = batch.offset + next(at for at, byte in enumerate(data) if byte)
        self._buffers.give(batch.buffer)

    def finish(self) -> int | None:
        return self._found

    def progress(self) -> Progress:
        # The backup itself has not begun: of that is asked.
        return Progress(0, self._start, 0)
