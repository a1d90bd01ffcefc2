# SPDX-License-Identifier: Apache-2.0
"""Faults of drivers on new volumes are seen in what the code does."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup import chunkeddriver  # noqa: E402 - after Cinder's objects
from cinder.backup.drivers import ceph, posix  # noqa: E402

from backup_dispatch.drivers import new_volumes  # noqa: E402

pytestmark = pytest.mark.release

INCREMENTAL, BYTES, SHIFTED = new_volumes.FAULTS
ANY_RECORD = SimpleNamespace(id="backup", parent_id=None)
ON_RBD = SimpleNamespace(rbd_image=object())


@pytest.fixture(params=new_volumes.FAULTS, ids=["incremental", "bytes", "shifted"])
def fault(request: pytest.FixtureRequest) -> new_volumes.Fault:
    found: new_volumes.Fault = request.param
    return found


def its_driver(fault: new_volumes.Fault) -> type[Any]:
    found: type[Any] = ceph.CephBackupDriver if fault is SHIFTED else posix.PosixBackupDriver
    return found


def test_each_fault_is_seen_in_the_releases_that_came_with_it(fault: new_volumes.Fault) -> None:
    seen = fault.seen_in(its_driver(fault))
    assert seen is fault.released_in(new_volumes.cinder_release())


@pytest.mark.parametrize(
    ("release", "incremental", "bytes_only", "shifted"),
    [
        ((25, 0), True, True, True),
        ((25, 2), True, True, True),
        ((25, 3), True, False, True),
        ((26, 0), True, True, True),
        ((26, 1), True, False, True),
        ((27, 0), True, False, True),
        ((28, 0), True, False, True),
        ((28, 1), True, False, False),
        ((29, 0), False, False, False),
    ],
)
def test_code_of_another_shape_is_judged_by_the_release(
    monkeypatch: pytest.MonkeyPatch,
    release: tuple[int, int],
    incremental: bool,
    bytes_only: bool,
    shifted: bool,
) -> None:
    monkeypatch.setattr(new_volumes, "cinder_release", lambda: release)
    assert INCREMENTAL.has(Reshaped) is incremental
    assert BYTES.has(Reshaped) is bytes_only
    assert SHIFTED.has(Reshaped) is shifted


class Reshaped(posix.PosixBackupDriver):
    def restore(self, *_arguments: Any) -> None:
        raise AssertionError("it is looked at only where it is Cinder's own")

    def _restore_v1(self, *_arguments: Any) -> None:
        raise AssertionError("it is looked at only where it is Cinder's own")


# What the code of a release may look like, whatever release says that it is


def cinders(function: Any, like: Any, **module: Any) -> Any:
    """The function as if it were Cinder's own, in a module where these names stand."""
    made = new_volumes._with_globals(function, **module)
    made.__module__, made.__qualname__ = like.__module__, like.__qualname__
    return made


def restoring(incrementals_are_new: bool) -> Callable[..., None]:
    def restore(self: Any, backup: Any, volume_id: str, volume_file: Any, is_new: bool) -> None:
        parent = objects.Backup.get_by_id(self.context, backup.parent_id)
        for one in (parent, backup):
            told = is_new and (incrementals_are_new or not one.parent_id)
            name = self.DRIVER_VERSION_MAPPING[self._read_metadata(one)["version"]]
            getattr(self, name)(one, volume_id, {}, volume_file, told, backup)

    return restore


@pytest.mark.parametrize("skipped", [True, False])
def test_skipped_zeros_of_an_incremental_are_seen(skipped: bool) -> None:
    like = chunkeddriver.ChunkedBackupDriver.restore
    found = type("Old", (posix.PosixBackupDriver,), {"restore": cinders(restoring(skipped), like)})
    assert INCREMENTAL.seen_in(found) is skipped


@pytest.mark.parametrize("kind", [memoryview, bytes])
def test_what_a_volume_is_given_is_seen(kind: Callable[[bytes], Any]) -> None:
    def write(_is_new: bool, file: Any, _offset: int, content: bytes) -> None:
        file.write(kind(content))

    def restore_layer(self: Any) -> None:
        """Only its module matters."""

    like = chunkeddriver.ChunkedBackupDriver._restore_v1
    layer = cinders(restore_layer, like, _write_volume=write)
    found = type("Old", (posix.PosixBackupDriver,), {"_restore_v1": layer})
    assert BYTES.seen_in(found) is (kind is not bytes)


@pytest.mark.parametrize("moves_on", [True, False])
def test_data_that_moved_to_the_front_are_seen(moves_on: bool) -> None:
    def transfer(
        self: Any, src: Any, _src: str, dest: Any, _dest: str, length: int, discard_zeros: bool
    ) -> None:
        for _ in range(length // self.chunk_size):
            data = src.read(self.chunk_size)
            if any(data) or not discard_zeros:
                dest.write(data)
            elif moves_on:
                dest.seek(len(data), 1)

    found = type("Old", (ceph.CephBackupDriver,), {"_transfer_data": transfer})
    assert SHIFTED.seen_in(found) is not moves_on


# Which restores are concerned


@pytest.mark.parametrize(
    ("driver_class", "parent_id", "volume_file", "concerned"),
    [
        (posix.PosixBackupDriver, None, None, []),
        (posix.PosixBackupDriver, "parent", None, [INCREMENTAL]),
        (posix.PosixBackupDriver, None, ON_RBD, [BYTES]),
        (posix.PosixBackupDriver, "parent", ON_RBD, [INCREMENTAL, BYTES]),
        (ceph.CephBackupDriver, None, None, [SHIFTED]),
        (ceph.CephBackupDriver, "parent", ON_RBD, [SHIFTED]),
        (SimpleNamespace, "parent", ON_RBD, []),
    ],
)
def test_only_restores_that_can_meet_a_fault_are_concerned(
    driver_class: Any, parent_id: str | None, volume_file: Any, concerned: list[Any]
) -> None:
    driver = driver_class.__new__(driver_class)
    backup = SimpleNamespace(id="backup", parent_id=parent_id)
    met = [one for one in new_volumes.FAULTS if one.concerns(driver, backup, volume_file)]
    assert met == concerned


def test_a_private_copy_is_looked_at_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    from oslo_config import cfg

    from backup_dispatch.backends.conf_overlay import Overlay
    from backup_dispatch.backends.private_modules import private_driver

    copy = private_driver(posix.PosixBackupDriver, Overlay(cfg.CONF, "east")).driver_class

    def write(_is_new: bool, file: Any, _offset: int, content: bytes) -> None:
        file.write(memoryview(content))

    # The module that everybody sees is not the copy's.
    monkeypatch.setattr(chunkeddriver, "_write_volume", write)
    released = BYTES.released_in(new_volumes.cinder_release())
    assert BYTES.seen_in(posix.PosixBackupDriver) is True
    assert BYTES.seen_in(copy) is released
