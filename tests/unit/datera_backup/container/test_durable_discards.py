# SPDX-License-Identifier: Apache-2.0
"""What a superblock no longer names has been given back, also if the power goes right after."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from datera_backup.container import LOG_START, BackupReader, Codec, Container
from tests.fixtures.containers.journal import Journal
from tests.fixtures.containers.moving import (
    BLOCK,
    TickingClock,
    back_up,
    changed,
    identifier,
    some_bytes,
    writer_for,
)

DATA = some_bytes(1, 12 * BLOCK)


def abandon(container: Container, number: int) -> None:
    """Begin a backup, write some of it, and leave it."""
    writer = writer_for(container, number, len(DATA))
    for at in range(8):
        writer.store(bytes(32), Codec.RAW, DATA[at * BLOCK : (at + 1) * BLOCK])


def drop_the_newest(container: Container) -> None:
    parent = BackupReader(container, identifier(1))
    back_up(container, 2, changed(DATA, 2, 5), parent)
    container.drop(identifier(2))


def drop_one_that_was_only_begun(container: Container) -> None:
    abandon(container, 2)
    container.drop(identifier(2))


def begin_where_one_was_only_begun(container: Container) -> None:
    abandon(container, 2)
    writer_for(container, 3, len(DATA))


@pytest.mark.parametrize(
    "happens", [drop_the_newest, drop_one_that_was_only_begun, begin_where_one_was_only_begun]
)
def test_superblock_forgets_a_range_when_its_discard_is_durable(
    happens: Callable[[Container], None],
) -> None:
    journal = Journal()
    device = journal.device(48 << 20)
    container = Container.format(device, identifier(1), clock=TickingClock())
    back_up(container, 1, DATA)
    happens(container)
    discards = [event for event in journal.events if isinstance(event.data, int)]
    assert discards
    for count, event in enumerate(journal.events):
        if isinstance(event.data, bytes) and event.offset < LOG_START:
            (pending,) = journal.pending(count)
            assert [one for one in pending if isinstance(one.data, int)] == [], count
