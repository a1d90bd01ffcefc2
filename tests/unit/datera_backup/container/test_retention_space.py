# SPDX-License-Identifier: Apache-2.0
"""What a chain takes on a thin device once most of its backups were forgotten."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

import pytest

from datera_backup.container import BackupReader, Container, NewBackup
from datera_backup.engine import BackupJob
from tests.fixtures.containers.moving import FEW, BytesSource, identifier, memory_of, new_container

BLOCK = 64 << 10
BLOCKS = 384
DAYS = 30
CHANGED = 12
"""Blocks that change in a day: three per cent."""

LAST_WEEK = range(DAYS - 7, DAYS)
SPREAD = (0, 5, 10, 15, 20, 25, 29)


def a_block(rng: random.Random) -> bytes:
    """Return a block that compresses to between an eighth and all of its size."""
    used = rng.randrange(BLOCK // 8, BLOCK)
    return rng.randbytes(used).ljust(BLOCK, b"a")


def a_month() -> list[bytes]:
    rng = random.Random(1)
    blocks = [a_block(rng) for _ in range(BLOCKS)]
    days = []
    for _ in range(DAYS):
        days.append(b"".join(blocks))
        for at in rng.sample(range(BLOCKS), CHANGED):
            blocks[at] = a_block(rng)
    return days


MONTH = a_month()


def back_up(container: Container, days: Collection[int]) -> None:
    parent: BackupReader | None = None
    for day in days:
        new = NewBackup(identifier(day + 1), "a volume", len(MONTH[day]))
        writer = container.begin(new, living=container.committed, parent=parent)
        job = BackupJob(BytesSource(MONTH[day]), writer, FEW)
        job.start()
        job.result()
        parent = BackupReader(container, new.backup_id)


@pytest.mark.parametrize("kept", [LAST_WEEK, SPREAD], ids=["the last week", "spread"])
def test_thirty_days_of_which_seven_are_kept_take_little_more_than_seven(
    kept: Sequence[int],
) -> None:
    month, week = new_container(1, 1 << 30), new_container(2, 1 << 30)
    back_up(month, range(DAYS))
    all_days = memory_of(month).allocated
    for day in range(DAYS):
        if day not in kept:
            month.drop(identifier(day + 1))
    back_up(week, kept)
    left, ideal = memory_of(month).allocated, memory_of(week).allocated
    assert ideal < all_days
    assert left <= 1.1 * ideal, f"{left} bytes, where {ideal} would do; {all_days} before"
