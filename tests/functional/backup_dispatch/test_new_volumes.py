# SPDX-License-Identifier: Apache-2.0
"""Restores onto new volumes, with the drivers of the Cinder that is installed.

What each release does wrongly is seen by telling its driver that the volume is new although
:mod:`backup_dispatch.drivers.new_volumes` would not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.release

MIB = 2**20


@pytest.fixture
def cinder(start_dispatching: Callable[..., Any], tmp_path: Path) -> Any:
    return start_dispatching(
        secondaries="tests.fixtures.backends.sparse_ceph_driver",
        more=f"backup_sparse_path = {tmp_path / 'sparse'}",
    )


@pytest.fixture(params=["through the dispatcher", "told that the volume is new"])
def goes_wrong(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Whether a restore goes wrong that the fault with this bug number concerns."""
    from backup_dispatch.drivers import new_volumes

    release = new_volumes.cinder_release()
    told = request.param != "through the dispatcher"
    if told:
        monkeypatch.setattr(new_volumes, "may_be_told", lambda *_arguments: True)

    def wrong(bug: int | None) -> bool:
        (fault,) = [one for one in new_volumes.FAULTS if one.bug == bug]
        return told and fault.released_in(release)

    return wrong


def test_zeros_of_an_incremental_come_back(cinder: Any, goes_wrong: Any) -> None:
    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"old" * 1000)
    cinder.create_backup(volume, "posix_1")
    cinder.write(volume, MIB, bytes(3000))
    incremental = cinder.create_backup(volume, "posix_2", incremental=True)
    restored = cinder.restore_backup(incremental)
    assert restored.status == "available", cinder.failures
    assert (cinder.first_difference(restored, volume) == MIB) is goes_wrong(None)


def test_data_behind_zeros_in_ceph_come_back_in_place(cinder: Any, goes_wrong: Any) -> None:
    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"first" * 1000)
    cinder.write(volume, 5 * MIB, b"second" * 1000)
    backup = cinder.create_backup(volume, "sparse_ceph_driver_1")
    assert backup.status == "available", cinder.failures
    restored = cinder.restore_backup(backup)
    assert restored.status == "available", cinder.failures
    wrong = goes_wrong(2155612)
    assert cinder.first_difference(restored, volume) == (MIB if wrong else None)


class BytesOnly:
    """A volume in Ceph: librbd takes bytes, and no other kind of buffer."""

    rbd_image = object()

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"expected bytes, got {type(data).__name__}")
        self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_chunked_backup_goes_onto_a_new_volume_in_ceph(
    cinder: Any, goes_wrong: Any, tmp_path: Path
) -> None:
    from backup_dispatch.driver import BackupDispatcher
    from backup_dispatch.errors import BackendFailed

    volume = cinder.create_volume(1)
    cinder.write(volume, MIB, b"data" * 1000)
    backup = cinder.create_backup(volume, "posix_1")
    backup.status = "restoring"
    backup.save()
    target = tmp_path / "target"
    with open(target, "w+b") as file:
        file.truncate(2**30)

        def restore() -> None:
            BackupDispatcher(cinder.context).restore(backup, volume.id, BytesOnly(file), True)

        if goes_wrong(2082587):
            with pytest.raises(BackendFailed, match="expected bytes, got memoryview"):
                restore()
            return
        restore()
        file.seek(MIB)
        assert file.read(4000) == b"data" * 1000
