# SPDX-License-Identifier: Apache-2.0
"""Blocks are written from the buffers that they were read into, and few buffers are needed."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import Geometry, NewBackup
from datera_backup.engine import BackupJob, Settings, backup
from datera_backup.engine.buffers import Buffers
from tests.fixtures.moving import BLOCK, BytesSource, identifier, new_container, restore

IN_A_BATCH, BATCHES = 16, 96
IN_A_SEGMENT = 32
DEPTH = 3


@pytest.mark.parametrize("noisy", [1, IN_A_BATCH // 2, IN_A_BATCH])
def test_few_buffers_wait_for_a_segment(monkeypatch: pytest.MonkeyPatch, noisy: int) -> None:
    made: list[memoryview] = []

    class Counting(Buffers):
        def take(self) -> memoryview:
            buffer = super().take()
            if not any(buffer.obj is other.obj for other in made):
                made.append(buffer)
            return buffer

    monkeypatch.setattr(backup, "Buffers", Counting)
    rng = random.Random(noisy)
    rest = b"x" * BLOCK * (IN_A_BATCH - noisy)
    data = b"".join(rng.randbytes(BLOCK * noisy) + rest for _ in range(BATCHES))
    container = new_container(1)
    chunk = BATCHES * IN_A_BATCH * BLOCK
    new = NewBackup(identifier(1), "a volume", len(data), Geometry(BLOCK, chunk))
    writer = container.begin(new, living=[], segment_size=IN_A_SEGMENT * BLOCK)
    settings = Settings(workers=2, depth=DEPTH, batch_size=IN_A_BATCH * BLOCK)
    job = BackupJob(BytesSource(data), writer, settings=settings)
    job.start()
    job.result()
    # Those under way, and those that a segment of blocks which fill half a buffer was read into.
    assert len(made) <= DEPTH + 2 * IN_A_SEGMENT // IN_A_BATCH + 1
    assert restore(container, 1) == data
