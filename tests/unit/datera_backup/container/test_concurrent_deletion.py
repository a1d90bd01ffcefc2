# SPDX-License-Identifier: Apache-2.0
"""What others did to a container meanwhile is seen before it can do harm."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import (
    BackupNotInContainer,
    BackupReader,
    BackupWriter,
    Codec,
    Container,
    EntryState,
    NewBackup,
)
from datera_backup.container.format.geometry import digest_function
from datera_backup.engine import VerifyJob
from tests.fixtures.containers.devices import BrokenDevice, MemoryDevice
from tests.fixtures.containers.fed_chains import a_block, a_volume, store, volume_of
from tests.fixtures.containers.moving import (
    SMALL,
    TickingClock,
    identifier,
    new_container,
    reopened,
)

SIZE = 128 << 20
BLOCKS = 64
RNG = random.Random(1)
FULL = a_volume(RNG, BLOCKS, SMALL.block_size, zeros=0.1)
CHANGED = [a_block(RNG, SMALL.block_size) if at in (3, 40) else FULL[at] for at in range(BLOCKS)]
OTHER = [a_block(RNG, SMALL.block_size) for _ in range(BLOCKS)]


class NoDiscards(MemoryDevice):
    """A device that gives nothing back."""

    def discard(self, offset: int, length: int) -> bool:
        return False


def write(writer: BackupWriter, volume: list[bytes]) -> None:
    digest = digest_function(SMALL.digest)
    for block in volume:
        writer.store(digest(block), Codec.RAW, block)
    writer.commit()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_backup_whose_parent_is_deleted_while_it_is_written_is_not_committed(
    elsewhere: bool,
) -> None:
    container = new_container(1, SIZE)
    first = store(container, 1, FULL, geometry=SMALL)
    store(container, 2, CHANGED, first, geometry=SMALL)
    mine = reopened(container)
    home = new_container(3, SIZE) if elsewhere else mine
    parent = BackupReader(mine, identifier(2))
    new = NewBackup(identifier(3), "a volume", BLOCKS * SMALL.block_size, SMALL)
    writer = home.begin(new, living=home.committed, parent=parent)
    reopened(container).drop(identifier(2))
    with pytest.raises(BackupNotInContainer, match=str(identifier(2))):
        write(writer, OTHER)
    assert identifier(3) not in reopened(home).committed
    assert volume_of(reopened(container), 1) == FULL


def test_nothing_is_repaired_in_a_range_that_another_backup_has_taken() -> None:
    container = Container.format(NoDiscards(SIZE), identifier(1), clock=TickingClock())
    first = store(container, 1, FULL, geometry=SMALL)
    store(container, 2, CHANGED, first, geometry=SMALL)
    verifying = reopened(container)
    job = VerifyJob(BackupReader(verifying, identifier(2)), on_damage=lambda _damage: None)
    deleting = reopened(container)
    deleting.drop(identifier(2))
    store(deleting, 3, OTHER, BackupReader(deleting, identifier(1)), geometry=SMALL)
    job.start()
    job.result()
    assert verifying.copies.faulty
    verifying.remember([])
    verifying.repair()
    assert volume_of(reopened(container), 3) == OTHER


def test_a_commit_record_that_cannot_be_overwritten_keeps_nothing_from_being_deleted() -> None:
    container = new_container(1, SIZE)
    first = store(container, 1, FULL, geometry=SMALL)
    store(container, 2, CHANGED, first, geometry=SMALL)
    (entry, _) = container.entries
    assert entry.commit is not None
    assert isinstance(container.device, MemoryDevice)
    device = BrokenDevice(container.device)
    device.unwritable = [(entry.commit.offset, entry.commit.offset + 512)]
    broken = Container.open(device, clock=TickingClock())
    broken.drop(identifier(1))
    assert [one.state for one in broken.entries] == [EntryState.DEAD, EntryState.COMMITTED]
    assert volume_of(reopened(broken), 2) == CHANGED
