# SPDX-License-Identifier: Apache-2.0
"""Blocks are written from the buffers that they were read into, and few buffers are needed."""

from __future__ import annotations

import random
import threading

import pytest

from datera_backup.container import MIB, Codec, Geometry, NewBackup
from datera_backup.engine import BackupJob, EngineSettings, RestoreJob, backup
from datera_backup.engine.pipeline.buffers import Buffers
from datera_backup.engine.restore import stages
from tests.fixtures.containers.moving import (
    BLOCK,
    BytesSource,
    MemorySink,
    back_up,
    identifier,
    new_container,
    restore,
)

IN_A_BATCH, BATCHES = 16, 96
IN_A_SEGMENT = 32
DEPTH = 3


@pytest.mark.parametrize("noisy", [1, IN_A_BATCH // 2, IN_A_BATCH - 2, IN_A_BATCH])
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
    settings = EngineSettings(workers=2, depth=DEPTH, batch_size=IN_A_BATCH * BLOCK)
    job = BackupJob(BytesSource(data), writer, settings=settings)
    job.start()
    job.result()
    # Those under way, and those that segments of blocks which nearly fill a buffer were read into.
    segments = settings.segment_writes + 1
    assert len(made) <= DEPTH + segments * 8 * IN_A_SEGMENT // (7 * IN_A_BATCH) + 1
    assert restore(container, 1) == data


@pytest.mark.parametrize(
    ("taken", "given", "kept"),
    [
        pytest.param(20, 20, 20, id="all that are read into"),
        pytest.param(40, 40, 20, id="no more than those"),
        pytest.param(40, 15, 12, id="12 MiB while others wait in segments"),
    ],
)
def test_buffers_are_kept_for_those_that_are_read_into(taken: int, given: int, kept: int) -> None:
    buffers = Buffers(MIB, 20)
    first = [buffers.take() for _ in range(taken)]
    for buffer in first[:given]:
        buffers.give(buffer)
    again = [buffers.take() for _ in range(given)]
    assert sum(any(one.obj is other.obj for other in first) for one in again) == kept


@pytest.mark.parametrize(("noisy", "lent"), [(0, False), (8, False), (13, False), (14, True)])
def test_only_a_buffer_that_is_nearly_all_used_waits_for_a_segment(noisy: int, lent: bool) -> None:
    buffer = Buffers(IN_A_BATCH * BLOCK, 1).take()
    blocks = [buffer[at : at + BLOCK] for at in range(0, noisy * BLOCK, BLOCK)]
    batch = backup.Batch(0, 0, IN_A_BATCH, len(buffer), buffer, buffer)
    batch.findings = [None, *((b"", Codec.RAW, block) for block in blocks)]
    batch.settle()
    assert batch.lent is lent
    buffer[:] = b"x" * len(buffer)
    found = [bytes(one[2]) for one in batch.findings if isinstance(one, tuple)]
    assert found == [(b"x" if lent else b"\0") * BLOCK] * noisy


def test_a_restores_buffers_do_not_wait_for_writes_of_few_of_their_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Buffers] = []

    class Counting(Buffers):
        def take(self) -> memoryview:
            made.append(self)
            return super().take()

        def give(self, buffer: memoryview) -> None:
            made.pop()
            super().give(buffer)

    monkeypatch.setattr(stages, "Buffers", Counting)
    rng = random.Random(1)
    data = b"".join(rng.randbytes(BLOCK) + b"x" * BLOCK * 7 for _ in range(4))
    container = new_container(1)
    reader = back_up(container, 1, data)
    settings = EngineSettings(workers=1, depth=8, batch_size=8 * BLOCK, requests=4)
    in_use: list[int] = []
    all_begun = threading.Barrier(4, action=lambda: in_use.append(len(made)))
    sink = MemorySink(len(data), hook=lambda kind: wait_at(all_begun, kind))
    job = RestoreJob(reader, sink, write_zeros=True, settings=settings)
    job.start()
    job.result()
    assert in_use == [0]
    assert bytes(sink.content) == data


def wait_at(barrier: threading.Barrier, kind: str) -> None:
    if kind == "write":
        barrier.wait(30)
