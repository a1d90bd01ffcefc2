# SPDX-License-Identifier: Apache-2.0
"""What a verification finds bad is named, remembered, and stored anew by the next incremental."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.faults

MIB = 2**20
BLOCK = 2**16
SLOTS = (0, 2 * MIB)
LOG = 4 * MIB
BAD = (3, 17, 40)
"""Numbers of blocks."""


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(4 * MIB))
    return made


@pytest.fixture
def younger(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Called, lets the next backup go into a container of its own."""
    from datera_backup.container.format import superblock

    return lambda: monkeypatch.setattr(superblock, "MAX_ENTRIES", 1)


def driver_of(cloud: Any) -> Any:
    from datera_backup.driver import DateraBackupDriver

    return DateraBackupDriver(cloud.context)


def verified(cloud: Any, backup: Any) -> list[str]:
    lines: list[str] = driver_of(cloud).verify(backup, lambda _done, _of: None)
    return lines


def stored(path: Path) -> bytes:
    """What the container's device holds up to where the last bytes were written."""
    end = 0
    with path.open("rb") as file:
        with suppress(OSError):  # there are no more
            while True:
                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        return os.pread(file.fileno(), end, 0)


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def spoil(cloud: Any, volume: Any, path: Path) -> None:
    """Flip a bit in each of the bad blocks, which do not compress and lie there as they are."""
    content = stored(path)
    for number in BAD:
        flip(path, content.index(cloud.read(volume, number * BLOCK, 64)) + 1000)


class UnreadableRanges:
    """Ranges of files whose reading the device reports an error for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ranges: list[tuple[Path, int, int]] = []
        self._monkeypatch = monkeypatch

    def add(self, path: Path, start: int, length: int) -> None:
        from datera_backup.container import FileDevice

        pread, wanted = FileDevice.pread, path.stat()

        def fail(device: FileDevice, offset: int, buffer: memoryview) -> None:
            meets = offset < start + length and start < offset + len(buffer)
            if meets and os.path.samestat(os.fstat(device._fd), wanted):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            pread(device, offset, buffer)

        self._monkeypatch.setattr(FileDevice, "pread", fail)


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> UnreadableRanges:
    return UnreadableRanges(monkeypatch)


@pytest.mark.parametrize("in_two_containers", [False, True])
def test_bad_blocks_are_all_named_and_stored_anew_by_the_next_incremental(
    cloud: Any,
    content: Any,
    volume: Any,
    array: Any,
    *,
    younger: Callable[[], None],
    in_two_containers: bool,
) -> None:
    full = cloud.create_backup(volume)
    if in_two_containers:
        younger()
    second = cloud.create_backup(volume, incremental=True)
    assert (second.container != full.container) is in_two_containers
    spoil(cloud, volume, array.data_file(full.container))
    found = verified(cloud, second)
    assert len(found) == len(BAD)
    for number, line in zip(BAD, found, strict=True):
        assert f"Block {number} of backup {second.id} (byte {number * BLOCK} of " in line
        assert f"is damaged in container {full.id}" in line

    third = cloud.create_backup(volume, incremental=True)
    assert verified(cloud, third) == []
    assert content(cloud.restore_backup(third)) == content(volume)
    assert driver_of(cloud).stored_size(third) >= len(BAD) * BLOCK
    assert driver_of(cloud).stored_size(third) < (len(BAD) + 1) * BLOCK
    assert len(verified(cloud, second)) == len(BAD)
    fourth = cloud.create_backup(volume, incremental=True)
    assert driver_of(cloud).stored_size(fourth) == 0
    for backup in (fourth, third, second, full):
        assert cloud.delete_backup(backup) is None
    assert array.names == []


def test_a_block_that_cannot_be_read_is_named_and_stored_anew(
    cloud: Any, content: Any, volume: Any, array: Any, unreadable: UnreadableRanges
) -> None:
    full = cloud.create_backup(volume)
    path = array.data_file(full.container)
    where = stored(path).index(cloud.read(volume, 17 * BLOCK, 64))
    unreadable.add(path, where + 4096, 4096)
    (line,) = verified(cloud, full)
    assert f"Block 17 of backup {full.id}" in line
    assert "error" in line
    assert "damaged" not in line
    second = cloud.create_backup(volume, incremental=True)
    assert verified(cloud, second) == []
    assert content(cloud.restore_backup(second)) == content(volume)
    restored = cloud.restore_backup(full)
    assert restored.status.startswith("error")
    assert "Block 17" in str(cloud.failures[-1])


@pytest.mark.parametrize(("how", "slot"), zip(["unreadable", "flipped"], SLOTS, strict=True))
def test_with_one_superblock_everything_works(
    cloud: Any,
    content: Any,
    volume: Any,
    array: Any,
    *,
    unreadable: UnreadableRanges,
    slot: int,
    how: str,
) -> None:
    full = cloud.create_backup(volume)
    path = array.data_file(full.container)
    if how == "flipped":
        flip(path, slot + 200)
    else:
        unreadable.add(path, slot, MIB)
    assert content(cloud.restore_backup(full)) == content(volume)
    assert verified(cloud, full) == []
    expected = content(volume)
    cloud.write(volume, 0, b"changed")
    second = cloud.create_backup(volume, incremental=True)
    assert second.status == "available", second.fail_reason
    assert content(cloud.restore_backup(second)) == content(volume)
    driver_of(cloud).forget(full)
    full.destroy()
    assert content(cloud.restore_backup(second)) == b"changed" + expected[7:]
    assert cloud.delete_backup(second) is None
    assert array.names == []


def test_verification_repairs_metadata_of_which_one_copy_is_damaged(
    cloud: Any, volume: Any, array: Any
) -> None:
    backup = cloud.create_backup(volume)
    path = array.data_file(backup.container)
    good = stored(path)
    for kind in (b"DBCOMMIT", b"DBMANIFS"):
        first = good.index(kind, LOG)
        for place in (first, good.index(kind, first + 1)):
            flip(path, place + 130)
            assert stored(path)[LOG:] != good[LOG:]
            assert verified(cloud, backup) == []
            assert stored(path)[LOG:] == good[LOG:], f"{kind!r} at {place}"
    flip(path, SLOTS[1] + 200)
    assert verified(cloud, backup) == []
    assert verified(cloud, backup) == []
    flip(path, SLOTS[0] + 200)
    assert verified(cloud, backup) == [], "the other one was repaired"


@pytest.mark.parametrize("in_two_containers", [False, True])
def test_all_of_a_chain_without_superblocks_is_salvaged(
    cloud: Any,
    content: Any,
    volume: Any,
    array: Any,
    *,
    tmp_path: Path,
    younger: Callable[[], None],
    in_two_containers: bool,
) -> None:
    taken = [(cloud.create_backup(volume), content(volume))]
    if in_two_containers:
        younger()
    cloud.write(volume, MIB, random.Random(2).randbytes(MIB))
    taken.append((cloud.create_backup(volume, incremental=True), content(volume)))
    assert len(array.names) == 1 + in_two_containers
    for name in array.names:
        with array.data_file(name).open("r+b") as file:
            file.write(random.Random(3).randbytes(LOG))
    for number, (backup, expected) in enumerate(taken):
        (line,) = verified(cloud, backup)
        assert f"Container {backup.container} cannot be read" in line
        with (tmp_path / f"out{number}").open("w+b") as file:
            size, missing = driver_of(cloud).salvage(backup, file, lambda _done, _of: None)
            assert (size, list(missing)) == (len(expected), [])
            assert os.pread(file.fileno(), size + 1, 0) == expected
    left = cloud.delete_backup(taken[1][0])
    if in_two_containers:
        # Whether the younger one has anything else in it that is wanted, the records say.
        assert left.status == "error"
    else:
        assert "should hold 1 more backups" in left.fail_reason


def test_what_a_chain_has_left_is_salvaged_beside_a_container_that_was_wiped(
    cloud: Any,
    content: Any,
    volume: Any,
    array: Any,
    *,
    tmp_path: Path,
    younger: Callable[[], None],
) -> None:
    full, expected = cloud.create_backup(volume), content(volume)
    younger()
    cloud.write(volume, MIB, random.Random(2).randbytes(MIB))
    second = cloud.create_backup(volume, incremental=True)

    def salvaged(backup: Any, wiped: str) -> tuple[bytes, int]:
        path = array.data_file(wiped)
        good, size = stored(path), path.stat().st_size
        os.truncate(path, 0)
        os.truncate(path, size)
        output = tmp_path / wiped
        with output.open("w+b") as file:
            size, missing = driver_of(cloud).salvage(backup, file, lambda _done, _of: None)
        with path.open("r+b") as device:
            device.write(good)
        return output.read_bytes(), sum(one.length for one in missing)

    assert salvaged(full, second.container) == (expected, 0)
    got, missing = salvaged(second, full.container)
    assert missing == 3 * MIB
    assert got[MIB : 2 * MIB] == content(volume)[MIB : 2 * MIB]
