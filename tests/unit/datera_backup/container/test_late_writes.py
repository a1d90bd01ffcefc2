# SPDX-License-Identifier: Apache-2.0
"""A backup whose bytes are written late, and the last of them first."""

from __future__ import annotations

import random
from collections.abc import Callable

from datera_backup.container import BackupReader, BackupWriter, Codec, Container
from datera_backup.container.format.geometry import digest_function
from datera_backup.container.writes import nothing
from tests.fixtures.containers.journal import Journal
from tests.fixtures.containers.moving import (
    BLOCK,
    SMALL,
    TickingClock,
    identifier,
    reopened,
    restore,
    verify,
    writer_for,
)

BLOCKS = 40
DATA = random.Random(1).randbytes(BLOCKS * BLOCK)


class Backwards:
    """Makes no write before it has to, and then the last one first."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], None], Callable[[], None]]] = []

    def put(self, write: Callable[[], None], then: Callable[[], None] = nothing) -> None:
        self.waiting.append((write, then))

    def settle(self) -> None:
        pass

    def wait(self) -> None:
        for write, _ in reversed(self.waiting):
            write()
        for _, then in self.waiting:
            then()
        self.waiting.clear()


def take(writer: BackupWriter) -> None:
    digest_of = digest_function(SMALL.digest)
    for at in range(0, len(DATA), BLOCK):
        block = DATA[at : at + BLOCK]
        writer.store(digest_of(block), Codec.RAW, block)


def test_backup_written_backwards_is_the_same() -> None:
    device = Journal().device(64 << 20)
    container = Container.format(device, identifier(1), clock=TickingClock())
    writer = writer_for(container, 1, len(DATA))
    writer.write_through(Backwards())
    take(writer)
    writer.commit()
    assert restore(reopened(container), 1) == DATA
    assert verify(BackupReader(reopened(container), identifier(1))) == []


def test_commit_record_is_written_when_all_else_is_there_and_named_when_it_is_there_too() -> None:
    device = Journal().device(64 << 20)
    container = Container.format(device, identifier(1), clock=TickingClock())
    writer = writer_for(container, 1, len(DATA))
    writer.write_through(Backwards())
    before = len(device.events)
    take(writer)
    assert len(device.events) == before
    writer.commit()
    kinds = [
        None if event is None or isinstance(event[1], int) else event[1][:8]
        for event in device.events[before:]
    ]
    commits = [n for n, kind in enumerate(kinds) if kind == b"DBCOMMIT"]
    slots = [n for n, kind in enumerate(kinds) if kind == b"DBCONTNR"]
    others = [n for n, kind in enumerate(kinds) if kind and n not in (*commits, *slots)]
    assert len(commits) == 2
    assert max(others) < min(commits)
    assert kinds[max(commits) + 1 : min(slots)] == [None], "one flush between them"


def test_segments_count_only_what_is_on_the_device() -> None:
    container = Container.format(Journal().device(64 << 20), identifier(1), clock=TickingClock())
    writer = writer_for(container, 1, len(DATA))
    writes = Backwards()
    writer.write_through(writes)
    take(writer)
    assert (writer.segments, writer.segment > 5) == (0, True)
    writes.wait()
    assert writer.segments == writer.segment
