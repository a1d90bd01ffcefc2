# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to a container, a volume never gets data that was not backed up."""

from __future__ import annotations

import os
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

KIB, MIB = 2**10, 2**20
BLOCK = 64 * KIB
SUPERBLOCKS = 4 * MIB


@cache
def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, noise(1, 12 * MIB))
    return made


@pytest.fixture
def dirty(cloud: Any) -> Any:
    """A volume that holds other data."""
    made = cloud.create_volume(1, name="dirty")
    cloud.write(made, 0, noise(99, 16 * MIB))
    return made


def bytes_at(path: Path, offset: int, length: int) -> bytes:
    """Some bytes of a file that is too large to be read as a whole."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def position_of(path: Path, data: bytes) -> int:
    """Where data that does not compress was stored as it is."""
    with open(path, "rb") as file:
        end = 0
        # The file is as large as a container may become, and nearly empty.
        while True:
            start = os.lseek(file.fileno(), end, os.SEEK_DATA)
            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            if (found := os.pread(file.fileno(), end - start, start).find(data)) >= 0:
                return start + found


class Restoring:
    """Restores onto a volume with other data, and sees what becomes of it."""

    def __init__(self, cloud: Any, content: Any, volume: Any, dirty: Any) -> None:
        self.cloud, self.content, self.volume, self.dirty = cloud, content, volume, dirty

    def must_fail(self, backup: Any, *texts: str) -> None:
        """The restore must fail naming all the texts, and write nothing that is wrong."""
        expected, before = self.content(self.volume), self.content(self.dirty)
        self.cloud.failures.clear()
        restored = self.cloud.restore_backup(backup, self.dirty)
        assert restored.status.startswith("error")
        (failure,) = self.cloud.failures
        for text in texts:
            assert re.search(text, str(failure)), f"{text!r} is not in {failure}"
        after = self.content(self.dirty)
        assert len(after) == len(before)
        for offset in range(0, len(after), BLOCK):
            block = slice(offset, offset + BLOCK)
            assert after[block] in (expected[block], before[block]), f"wrong data at {offset}"
        assert self.cloud.backup(backup.id).status == "available"


@pytest.fixture
def restoring(cloud: Any, content: Any, volume: Any, dirty: Any) -> Restoring:
    return Restoring(cloud, content, volume, dirty)


def test_a_changed_byte_in_a_stored_block_is_named(
    cloud: Any, volume: Any, array: Any, restoring: Restoring
) -> None:
    backup = cloud.create_backup(volume)
    path = array.data_file(backup.container)
    where = position_of(path, noise(1, 12 * MIB)[5 * MIB : 5 * MIB + 64])
    (byte,) = bytes_at(path, where, 1)
    overwrite(path, where, bytes([byte ^ 1]))
    restoring.must_fail(
        backup,
        rf"Block 80 of backup {backup.id} \(byte {5 * MIB} of the volume\)",
        rf"container {backup.id} at byte {where}",
        r"its bytes have changed",
    )


def test_a_block_of_the_parent_is_named_with_the_backup_that_needs_it(
    cloud: Any, volume: Any, array: Any, restoring: Restoring
) -> None:
    full = cloud.create_backup(volume)
    cloud.write(volume, 0, noise(2, MIB))
    second = cloud.create_backup(volume, incremental=True)
    path = array.data_file(full.container)
    overwrite(path, position_of(path, noise(1, 12 * MIB)[3 * MIB : 3 * MIB + 64]), b"\0\0")
    restoring.must_fail(second, f"backup {second.id}", f"container {full.id}")


def test_a_wiped_segment_is_named(
    cloud: Any, volume: Any, array: Any, restoring: Restoring
) -> None:
    backup = cloud.create_backup(volume)
    path = array.data_file(backup.container)
    where = position_of(path, noise(1, 12 * MIB)[:64])
    overwrite(path, where - where % 4096, bytes(8 * MIB))
    restoring.must_fail(backup, rf"Block \d+ of backup {backup.id}", f"container {backup.id}")


def test_swapped_containers_are_told_apart(
    cloud: Any, volume: Any, array: Any, restoring: Restoring
) -> None:
    first = cloud.create_backup(volume)
    other = cloud.create_volume(1, name="other")
    cloud.write(other, 0, noise(7, 12 * MIB))
    second = cloud.create_backup(other)
    one, two = array.data_file(first.container), array.data_file(second.container)
    aside = one.with_suffix(".aside")
    os.rename(one, aside)
    os.rename(two, one)
    os.rename(aside, two)
    restoring.must_fail(first, f"Container {first.id} was expected", f"holds container {second.id}")

    # A deletion must not take the other volume's backup for this one's.
    left = cloud.delete_backup(first)
    assert left.status == "error"
    assert f"holds container {second.id}" in left.fail_reason
    assert len(array.names) == 2
    os.rename(one, aside)
    os.rename(two, one)
    os.rename(aside, two)
    assert cloud.first_difference(cloud.restore_backup(second), other) is None


def test_a_container_whose_superblocks_are_gone_is_named(
    cloud: Any, volume: Any, array: Any, restoring: Restoring
) -> None:
    backup = cloud.create_backup(volume)
    overwrite(array.data_file(backup.container), 0, bytes(SUPERBLOCKS))
    restoring.must_fail(backup, backup.id, "never formatted|superblock|no container")


def test_one_lost_superblock_does_no_harm(cloud: Any, volume: Any, array: Any) -> None:
    backup = cloud.create_backup(volume)
    path = array.data_file(backup.container)
    good = bytes_at(path, 0, 2 * MIB)
    for slot in (0, MIB):
        overwrite(path, 0, good)
        overwrite(path, slot, bytes(4096))
        restored = cloud.restore_backup(backup)
        if restored.status == "available":
            assert cloud.first_difference(restored, volume) is None
        else:
            # The older superblock is from before the commit: it says so, and restores nothing.
            assert "incomplete" in str(cloud.failures[-1])


def test_a_container_that_is_gone_is_named(cloud: Any, volume: Any, restoring: Restoring) -> None:
    from datera_backup.driver import DateraBackupDriver

    backup = cloud.create_backup(volume)
    DateraBackupDriver(cloud.context).backend.attachments.delete(backup.container)
    restoring.must_fail(backup, f"Container {backup.container} is not in tenant /root of 127")


def test_a_missing_container_of_the_chain_is_named(
    cloud: Any, volume: Any, restoring: Restoring
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage.locks import writer_lock

    full = cloud.create_backup(volume)
    lock = writer_lock(full.container)
    assert lock.try_acquire()
    cloud.write(volume, 0, noise(2, MIB))
    second = cloud.create_backup(volume, incremental=True)
    lock.release()
    assert second.container != full.container
    DateraBackupDriver(cloud.context).backend.attachments.delete(full.container)
    restoring.must_fail(second, f"Container {full.container} is not in tenant")


def test_a_backup_that_was_never_committed_says_how_far_it_came(
    cloud: Any, volume: Any, restoring: Restoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datera_backup.container import Container
    from datera_backup.operations import create_backup

    cloud.create_backup(volume)
    with monkeypatch.context() as patched:
        # The process dies: nothing is cleaned up.
        patched.setattr(create_backup, "run", lambda *_a: (_ for _ in ()).throw(OSError("died")))
        patched.setattr(Container, "doom", lambda *_a: None)
        failed = cloud.create_backup(volume, incremental=True)
    failed.status = "available"
    failed.save()
    restoring.must_fail(failed, f"Backup {failed.id} in container .* is incomplete")
    failed.status = "error"
    failed.save()
    assert cloud.delete_backup(failed) is None


def test_a_record_of_which_nothing_is_stored_says_so(
    cloud: Any, volume: Any, restoring: Restoring
) -> None:
    backup = cloud.create_backup(volume)
    cloud.delete_backup(backup)
    other = cloud.create_backup(volume)
    metadata, other.service_metadata = other.service_metadata, None
    other.save()
    restoring.must_fail(other, f"Nothing is stored of backup {other.id}")
    other.service_metadata = metadata
    other.save()


def test_damage_of_the_parent_never_gets_into_an_incremental(
    cloud: Any, volume: Any, array: Any
) -> None:
    full = cloud.create_backup(volume)
    overwrite(array.data_file(full.container), 0, bytes(SUPERBLOCKS))
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "error"
    assert full.id in second.fail_reason
    assert array.names == [full.container]
