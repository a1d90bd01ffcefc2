# SPDX-License-Identifier: Apache-2.0
"""Two writers that see none of one another's locks do each other no harm."""

from __future__ import annotations

import pytest

from datera_backup.container import BackupUnderWay, Codec, Container, ContainerChanged
from tests.fixtures.containers.moving import (
    BLOCK,
    back_up,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    some_bytes,
    writer_for,
)

DATA = some_bytes(7, 100_000)


def started() -> Container:
    container = new_container(0)
    back_up(container, 0, DATA)
    return container


def test_a_range_that_may_still_be_written_is_not_used_again() -> None:
    container = started()
    writer_for(container, 1, 10 * BLOCK)
    before = memory_of(container).content.copy()
    other = reopened(container)
    with pytest.raises(BackupUnderWay, match=str(identifier(1))):
        writer_for(other, 2, 10 * BLOCK, ended=[identifier(0)])
    assert memory_of(container).content == before
    writer_for(other, 2, 10 * BLOCK, ended=[identifier(1)])
    assert other.entries[-1].backup_id == identifier(2)


def test_begun_backup_may_be_begun_again_by_itself() -> None:
    container = started()
    writer_for(container, 1, 10 * BLOCK)
    writer_for(container, 1, 10 * BLOCK, ended=())


def test_a_writer_whose_range_was_taken_notices_before_it_writes_on() -> None:
    container = started()
    writer = writer_for(container, 1, 20 * BLOCK)
    other = reopened(container)
    back_up(other, 2, DATA)
    before = memory_of(container).content.copy()
    block = some_bytes(3, 9 * BLOCK)[-BLOCK:]
    writer.zeros(7)
    # The chunk ends, and what does not fill a segment is still in memory then.
    with pytest.raises(ContainerChanged, match=str(identifier(1))):
        writer.store(bytes(32), Codec.RAW, block)
    assert memory_of(container).content == before
    assert restore(reopened(other), 2) == DATA
