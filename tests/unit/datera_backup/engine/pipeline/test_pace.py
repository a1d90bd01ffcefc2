# SPDX-License-Identifier: Apache-2.0
"""A limit on the bytes a second, and that it holds nobody up who shall stop."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import pytest

from datera_backup.container import BackupReader
from datera_backup.engine import BackupJob, JobCancelled, RestoreJob
from datera_backup.engine.pipeline.pace import BURST_SECONDS, TokenBucket
from tests.fixtures.containers.moving import (
    FEW,
    BytesSource,
    MemorySink,
    SparseSource,
    back_up,
    identifier,
    new_container,
    some_bytes,
    writer_for,
)

RATE = 1000


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("part", [1, 70, 1000, 5000])
def test_the_rate_holds_whatever_the_parts(part: int) -> None:
    world = Time()
    bucket = TokenBucket(RATE, sleep=world.sleep, clock=world.clock)
    moments = [world.now]
    for _ in range(20):
        bucket.take(part)
        moments.append(world.now)
    assert world.now - 50 == pytest.approx(20 * part / RATE)
    assert all(
        later - earlier == pytest.approx(part / RATE) for earlier, later in pairwise(moments)
    )


def test_idle_time_is_caught_up_with_only_a_little() -> None:
    world = Time()
    bucket = TokenBucket(RATE, sleep=world.sleep, clock=world.clock)
    world.now += 1000
    start = world.now
    bucket.take(10 * RATE)
    assert world.now - start == pytest.approx(10 - BURST_SECONDS)


def test_no_rate_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="is not positive"):
        TokenBucket(0, sleep=time.sleep)


def test_a_backup_and_a_restore_keep_to_it() -> None:
    data = b"x" * 40960
    slow = replace(FEW, backup_rate=400_000, restore_rate=400_000)
    start = time.monotonic()
    reader = back_up(new_container(1), 1, data, settings=slow)
    backed_up = time.monotonic()
    job = RestoreJob(reader, MemorySink(len(data)), write_zeros=True, settings=slow)
    job.start()
    job.result()
    assert backed_up - start >= 0.1
    assert time.monotonic() - backed_up >= 0.1


def test_holes_do_not_count_against_the_rate() -> None:
    writer = writer_for(new_container(1), 1, 1 << 20)
    job = BackupJob(SparseSource(1 << 20, {}), writer, settings=replace(FEW, backup_rate=1))
    job.start()
    assert job.result().statistics.zero_blocks == (1 << 20) // 4096


@pytest.mark.parametrize("kind", ["backup", "restore"])
def test_whoever_waits_for_the_limit_can_be_cancelled_at_once(kind: str) -> None:
    data = some_bytes(1, 400_000)
    container = new_container(1)
    crawling = replace(FEW, backup_rate=1, restore_rate=1)
    job: BackupJob | RestoreJob
    if kind == "backup":
        job = BackupJob(BytesSource(data), writer_for(container, 1, len(data)), settings=crawling)
    else:
        back_up(container, 1, data)
        reader = BackupReader(container, identifier(1))
        job = RestoreJob(reader, MemorySink(len(data)), write_zeros=True, settings=crawling)
    job.start()
    assert not job.wait(0.05)
    job.cancel()
    assert job.wait(2)
    with pytest.raises(JobCancelled):
        job.result()
