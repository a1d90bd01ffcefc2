# SPDX-License-Identifier: Apache-2.0
"""Ranges: taken, given back, marked dead, used again."""

from __future__ import annotations

from itertools import permutations

import pytest

from datera_backup.container import (
    LOG_START,
    BackupExists,
    BackupNotInContainer,
    BackupReader,
    BackupUncommitted,
    BackupUnfinished,
    Codec,
    ContainerChanged,
    ContainerFull,
    EntryState,
    MetadataTooLarge,
    NewBackup,
    Remains,
)
from datera_backup.container.format.geometry import METADATA_LIMIT
from tests.fixtures.containers.moving import (
    BLOCK,
    SMALL,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    some_bytes,
    writer_for,
)

DATA = [some_bytes(1, 60_000)]
for _n in range(2, 5):
    DATA.append(changed(DATA[-1], _n, 4))


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_drop_in_every_order(order: tuple[int, ...]) -> None:
    """Two chains of two, so that any order is one that leaves readable what is left."""
    container = new_container(0)
    ends = [LOG_START]
    for number in range(4):
        back_up(container, number, DATA[number])
        ends.append(container.tail)
    alive = set(range(4))
    for number in order:
        container = reopened(container)
        remains = container.drop(identifier(number))
        alive.discard(number)
        assert remains is (Remains.BACKUPS if alive else Remains.EMPTY)
        assert container.tail == ends[max(alive) + 1 if alive else 0]
        for other in alive:
            assert restore(reopened(container), other) == DATA[other]
        with pytest.raises(BackupNotInContainer, match=str(identifier(number))):
            container.drop(identifier(number))
        with pytest.raises(BackupNotInContainer):
            BackupReader(container, identifier(number))
    assert reopened(container).entries == ()


def test_an_incremental_outlives_what_was_dropped_beside_it() -> None:
    container = new_container(0)
    parent = back_up(container, 0, DATA[0])
    back_up(container, 1, DATA[1], parent)
    back_up(container, 2, DATA[2], parent)
    assert container.drop(identifier(1)) is Remains.BACKUPS
    assert container.entries[1].state is EntryState.DEAD
    back_up(container, 3, DATA[3], parent)
    assert restore(reopened(container), 2) == DATA[2]
    assert restore(reopened(container), 3) == DATA[3]


def test_a_range_taken_back_is_used_again() -> None:
    container = new_container(0)
    parent = back_up(container, 0, DATA[0])
    tail = container.tail
    back_up(container, 1, DATA[1], parent)
    container.drop(identifier(1))
    assert container.tail == tail
    back_up(container, 2, DATA[2], parent)
    assert container.entries[1].start == tail
    assert restore(container, 2) == DATA[2]


def test_dropping_an_unknown_backup_is_an_error() -> None:
    with pytest.raises(BackupNotInContainer) as caught:
        new_container(0).drop(identifier(9))
    assert not caught.value.deleted


def test_reading_a_deleted_backup_names_the_deletion() -> None:
    container = new_container(0)
    back_up(container, 0, DATA[0])
    back_up(container, 1, DATA[1])
    container.drop(identifier(0))
    with pytest.raises(BackupNotInContainer, match="deleted"):
        container.commit_of(identifier(0))
    with pytest.raises(BackupExists):
        writer_for(container, 0, BLOCK)


def test_an_unfinished_backup_says_how_far_it_came() -> None:
    container = new_container(0)
    writer = writer_for(container, 0, 100 * BLOCK)
    block = some_bytes(3, BLOCK * 9)[-BLOCK:]
    for _ in range(20):
        writer.store(bytes(32), Codec.RAW, block)
    opened = reopened(container)
    with pytest.raises(BackupUncommitted) as caught:
        opened.commit_of(identifier(0))
    # What came before the first manifest is in segments of its own, and so is what came since.
    assert caught.value.segments == 6
    assert caught.value.log_bytes > 18 * BLOCK
    assert caught.value.started == opened.entries[0].started
    assert "2026-01-02T03:04:0" in str(caught.value)
    assert opened.committed == ()
    assert opened.tail == LOG_START


def test_older_records_behind_are_not_counted() -> None:
    container = new_container(0)
    back_up(container, 0, some_bytes(5, 40 * BLOCK))
    container.drop(identifier(0))
    writer_for(container, 1, 40 * BLOCK)
    with pytest.raises(BackupUncommitted, match="after 0 segments"):
        container.commit_of(identifier(1))


def test_an_unfinished_range_is_used_again() -> None:
    container = new_container(0)
    back_up(container, 0, DATA[0])
    tail = container.tail
    writer_for(container, 1, len(DATA[1])).zeros(3)
    back_up(container, 2, DATA[2])
    assert [entry.backup_id for entry in container.entries] == [identifier(0), identifier(2)]
    assert container.entries[1].start == tail
    with pytest.raises(BackupNotInContainer):
        container.commit_of(identifier(1))


def test_an_unfinished_one_is_tried_again_or_dropped() -> None:
    container = new_container(0)
    writer_for(container, 0, BLOCK)
    assert container.drop(identifier(0)) is Remains.EMPTY
    writer_for(container, 0, BLOCK)
    back_up(container, 0, DATA[0])
    assert restore(container, 0) == DATA[0]
    writer_for(container, 1, BLOCK)
    assert container.drop(identifier(0)) is Remains.BACKUPS
    assert container.drop(identifier(1)) is Remains.EMPTY
    assert container.tail == LOG_START


def test_a_committed_one_is_not_begun_again() -> None:
    container = new_container(0)
    back_up(container, 0, DATA[0])
    before = memory_of(container).content.copy()
    with pytest.raises(BackupExists):
        writer_for(container, 0, BLOCK)
    assert memory_of(container).content == before


def test_a_drop_while_another_backup_is_written() -> None:
    container = new_container(0)
    back_up(container, 0, DATA[0])
    back_up(container, 1, DATA[1])
    writer = writer_for(container, 2, 0)
    assert reopened(container).drop(identifier(1)) is Remains.BACKUPS
    writer.commit()
    assert reopened(container).committed == (identifier(0), identifier(2))


def test_a_commit_whose_place_was_taken() -> None:
    container = new_container(0)
    writer = writer_for(container, 0, 0)
    other = reopened(container)
    back_up(other, 1, DATA[1])
    with pytest.raises(ContainerChanged, match=str(identifier(0))):
        writer.commit()
    assert reopened(container).committed == (identifier(1),)
    assert restore(reopened(container), 1) == DATA[1]


def test_statistics_count_the_blocks() -> None:
    container = new_container(0)
    writer = writer_for(container, 0, 10 * BLOCK)
    writer.zeros(9)
    with pytest.raises(BackupUnfinished):
        writer.commit()
    writer.zeros(1)
    with pytest.raises(ValueError, match="all blocks"):
        writer.zeros(1)
    with pytest.raises(ValueError, match="all blocks"):
        writer.store(bytes(32), Codec.RAW, bytes(BLOCK))
    writer.commit()


def test_a_device_without_room() -> None:
    container = new_container(0, LOG_START + 20 * BLOCK)
    with pytest.raises(ContainerFull, match=str(container.id)):
        back_up(container, 0, some_bytes(2, 60 * BLOCK))
    assert reopened(container).committed == ()


def test_metadata_comes_back() -> None:
    container = new_container(0)
    metadata = {"volume": {"name": "größe", "n": 3}, "list": [1, None, True]}
    writer = container.begin(
        NewBackup(identifier(0), "vol-1", 0, SMALL, metadata=metadata), living=()
    )
    written = writer.commit()
    read = reopened(container).commit_of(identifier(0))
    assert read == written
    assert read.metadata == metadata
    assert read.volume_id == "vol-1"
    assert read.parent_id is None
    assert "größe" not in repr(read)


def test_too_much_metadata_is_refused_before_anything_is_written() -> None:
    container = new_container(0)
    new = NewBackup(identifier(0), "v", 0, SMALL, metadata={"a": "b" * METADATA_LIMIT})
    with pytest.raises(MetadataTooLarge):
        container.begin(new, living=())
    assert reopened(container).entries == ()
