# SPDX-License-Identifier: Apache-2.0
"""A device need not have as many bytes as Cinder's record of the volume says."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

MIB = 2**20
GIB = 16 * MIB  # of these volumes; see tests/fixtures/cinder/file_volume.py


@pytest.fixture
def volume(cloud: Any) -> Any:
    made = cloud.create_volume(1)
    cloud.write(made, 0, random.Random(1).randbytes(2 * MIB))
    cloud.write(made, GIB - 4, b"last")
    return made


def round_up(cloud: Any, volume: Any, more: int = MIB) -> None:
    os.truncate(cloud._file(volume), GIB + more)


@pytest.mark.parametrize("more", [512, MIB, 5 * MIB + 4096])
def test_a_larger_device_whose_surplus_is_zero_restores_onto_a_new_volume(
    cloud: Any, volume: Any, content: Any, more: int
) -> None:
    expected = content(volume)
    round_up(cloud, volume, more)
    cloud.write(volume, GIB, bytes(more))  # not a hole: it must be looked at
    full = cloud.create_backup(volume)
    assert full.status == "available", full.fail_reason
    restored = cloud.restore_backup(full)
    assert restored.status == "available", cloud.failures
    assert content(restored) == expected
    cloud.write(volume, MIB, b"changed")
    incremental = cloud.create_backup(volume, incremental=True)
    assert incremental.container == full.container
    assert content(cloud.restore_backup(incremental)) == content(volume)[:GIB]


@pytest.mark.parametrize("at", [GIB, GIB + 1, GIB + 3 * MIB - 1])
def test_a_larger_device_whose_surplus_holds_something_is_refused_by_name(
    cloud: Any, volume: Any, array: Any, at: int
) -> None:
    round_up(cloud, volume, 3 * MIB)
    cloud.write(volume, at, b"\x01")
    backup = cloud.create_backup(volume)
    assert backup.status == "error"
    for part in (volume.id, f"{GIB} bytes (1 GiB)", f"{GIB + 3 * MIB}", f"byte {at} is not zero"):
        assert part in backup.fail_reason
    assert backup.fail_reason.endswith("Extend the volume to 2 GiB")
    assert array.names == []
    assert cloud.volume(volume.id).status == "available"


def test_a_volume_that_was_refused_is_backed_up_once_it_is_extended(
    cloud: Any, volume: Any, content: Any
) -> None:
    round_up(cloud, volume)
    cloud.write(volume, GIB + 9, b"precious")
    assert cloud.create_backup(volume).status == "error"
    os.truncate(cloud._file(volume), 2 * GIB)
    volume.size = 2
    volume.save()
    backup = cloud.create_backup(volume)
    assert backup.status == "available", backup.fail_reason
    assert content(cloud.restore_backup(backup)) == content(volume)


def test_a_snapshot_that_is_smaller_than_its_volume_gives_no_surplus(
    cloud: Any, volume: Any, content: Any
) -> None:
    snapshot = cloud.create_snapshot(volume)
    os.truncate(cloud._file(volume), 2 * GIB)
    volume.size = 2
    volume.save()
    backup = cloud.create_backup(volume, snapshot=snapshot)
    assert backup.status == "available", backup.fail_reason
    restored = content(cloud.restore_backup(backup))
    assert restored[:GIB] == content(volume)[:GIB]


def test_a_smaller_device_is_refused_by_name(cloud: Any, volume: Any, array: Any) -> None:
    os.truncate(cloud._file(volume), GIB - 512)
    backup = cloud.create_backup(volume)
    assert backup.status == "error"
    for part in (volume.id, f"{GIB} bytes (1 GiB)", f"only {GIB - 512}"):
        assert part in backup.fail_reason
    assert array.names == []


@pytest.fixture
def bad_place(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Path, int], None]:
    """Let the kernel refuse to read or write one byte of a file, as a disk would."""

    def arrange(call: str, path: Path, bad: int) -> None:
        real = getattr(os, call)

        def refuse(fd: int, buffers: Sequence[memoryview], offset: int) -> int:
            length = sum(map(len, buffers))
            if os.readlink(f"/proc/self/fd/{fd}") == str(path) and offset <= bad < offset + length:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return int(real(fd, buffers, offset))

        monkeypatch.setattr(os, call, refuse)

    return arrange


@pytest.mark.parametrize("incremental", [False, True])
def test_a_volume_that_cannot_be_read_is_named_with_the_place(
    volume: Any, array: Any, content: Any, bad_place: Any, incremental: bool
) -> None:
    cloud = content.cloud
    before = [cloud.create_backup(volume)] if incremental else []
    bad_place("preadv", cloud._file(volume), MIB + 4096 + 77)
    backup = cloud.create_backup(volume, incremental=incremental)
    assert backup.status == "error"
    assert f"Volume {volume.id} cannot be read at byte {MIB + 4096}: " in backup.fail_reason
    assert "Input/output error" in backup.fail_reason
    assert array.names == [one.container for one in before]
    assert cloud.volume(volume.id).status == "available"
    assert cloud.delete_backup(backup) is None
    for one in before:
        assert content(cloud.restore_backup(one)) == content(volume)


def test_a_surplus_that_cannot_be_read_is_named_with_the_place(
    cloud: Any, volume: Any, array: Any, bad_place: Any
) -> None:
    round_up(cloud, volume)
    cloud.write(volume, GIB, bytes(MIB))
    bad_place("preadv", cloud._file(volume), GIB + 4096)
    backup = cloud.create_backup(volume)
    assert f"Volume {volume.id} cannot be read at byte {GIB + 4096}: " in backup.fail_reason
    assert array.names == []


def test_a_volume_that_cannot_be_written_is_named_with_the_place(
    cloud: Any, volume: Any, array: Any, content: Any, bad_place: Any
) -> None:
    backup = cloud.create_backup(volume)
    target = cloud.create_volume(1)
    bad_place("pwritev", cloud._file(target), MIB + 77)
    assert cloud.restore_backup(backup, target).status == "error_restoring"
    told = str(cloud.failures[-1])
    assert f"Volume {target.id} cannot be written at byte {MIB}: " in told
    assert "Input/output error" in told
    assert cloud.backup(backup.id).status == "available"
    array.assert_quiet()
    assert content(cloud.restore_backup(backup)) == content(volume)
