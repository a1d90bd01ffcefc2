# SPDX-License-Identifier: Apache-2.0
"""Volumes in a real Ceph, backed up by the Datera driver: they cost what they hold."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import compress
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.backends.contract_backends import datera_options
from tests.services.stack.servers.ceph import VOLUMES_POOL, Ceph
from tests.services.stack.servers.daemons import Daemons

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

MIB = 2**20
GIB = 2**30
OBJECT = 4 * MIB
SIZE = 2 * GIB
PIECE = 16 * MIB
BESIDES = 2 * MIB
"""Bytes for all that is no data: object maps, headers, requests, the rest of a block of 64 KiB."""

REQUESTS = 150
"""Messages at most, where Ceph knows at once what exists. The volume has 512 objects."""
LOOKUPS = 2 * SIZE // OBJECT
"""Those that ask for each object of the image and of its parent."""

PARENT_HOLDS = {0: 6 * MIB, 700 * MIB + 4096: 5 * MIB}
CHILD_HOLDS = {700 * MIB + 8192: 65536, GIB - 1000: 3 * MIB}
HOLDS = 14 * MIB
"""Of the second, some bytes are over the parent's."""
DISCARDED = {1600 * MIB: OBJECT}
"""The parent holds it, and the child not any more."""


@pytest.fixture(scope="module")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    folder = tmp_path_factory.mktemp("ceph")
    servers = Daemons(folder / "log")
    try:
        cluster = Ceph(folder / "cluster", servers)
        cluster.start()
        yield cluster
    finally:
        servers.stop(hurried=lambda: True)


@pytest.fixture(scope="module")
def pool(ceph: Ceph) -> Iterator[Any]:
    """The pool of volumes, opened beside Cinder."""
    rados = importlib.import_module("rados")
    client = rados.Rados(rados_id=ceph.user, conffile=str(ceph.conf))
    with client, client.open_ioctx(VOLUMES_POOL) as ready:
        yield ready


@pytest.fixture
def cinder(
    ceph: Ceph, tmp_path: Any, start_cinder: Callable[..., CinderService]
) -> Iterator[CinderService]:
    """A Cinder with volumes in Ceph, and backups by the dispatcher on the emulator."""
    from datera_backup.storage.backend import forget_backends

    backend = f"""\
volume_driver = cinder.volume.drivers.rbd.RBDDriver
rbd_pool = {VOLUMES_POOL}
rbd_ceph_conf = {ceph.conf}
rbd_user = {ceph.user}
rbd_cluster_name = {ceph.name}
"""
    driver = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher\nenabled_backup_backends = datera"
    )
    with Emulator(state_dir=tmp_path / "array", transport="file") as emulator:
        brick.install()
        yield start_cinder(
            defaults=f"{driver}\n{datera_options(emulator)}", backend=backend, section="rbd"
        )
        brick.uninstall()
    forget_backends()


def opened(pool: Any, name: str) -> Any:
    """Open an image, until the end of a block."""
    return importlib.import_module("rbd").Image(pool, name)


def fill(image: Any, holds: dict[int, int], seed: int) -> None:
    for offset, length in holds.items():
        image.write(random.Random(seed + offset).randbytes(length), offset)


def clone_in_place_of(pool: Any, volume: Any, *, maps: bool) -> None:
    """Let a volume be a clone that has written over its parent, and discarded some of it.

    :param maps: whether the images have object maps, so that Ceph knows at once what exists.
    """
    rbd = importlib.import_module("rbd")
    features = rbd.RBD_FEATURE_LAYERING | rbd.RBD_FEATURE_EXCLUSIVE_LOCK
    if maps:
        features |= rbd.RBD_FEATURE_OBJECT_MAP | rbd.RBD_FEATURE_FAST_DIFF
    images, parent = rbd.RBD(), f"parent-{volume.id}"
    images.create(pool, parent, SIZE, old_format=False, features=features)
    with opened(pool, parent) as image:
        fill(image, PARENT_HOLDS | DISCARDED, 1)
        image.create_snap("base")
        image.protect_snap("base")
        fill(image, {1200 * MIB: OBJECT}, 5)  # after the snapshot: no part of the clone
    images.remove(pool, volume.name)
    images.clone(pool, parent, "base", pool, volume.name, features=features)
    with opened(pool, volume.name) as image:
        fill(image, CHILD_HOLDS, 2)
        for place, length in DISCARDED.items():
            image.discard(place, length)


def differences(pool: Any, one: str, other: str) -> list[int]:
    """Read all of two images; return where pieces of them are not the same."""
    with opened(pool, one) as first, opened(pool, other) as second:
        assert first.size() == second.size() == SIZE

        def differ(offset: int) -> bool:
            return bool(first.read(offset, PIECE) != second.read(offset, PIECE))

        places = range(0, SIZE, PIECE)
        with ThreadPoolExecutor(4) as threads:
            return list(compress(places, threads.map(differ, places)))


@pytest.mark.parametrize("maps", [True, False], ids=["with object maps", "without object maps"])
def test_a_clone_costs_what_it_holds(
    cinder: CinderService, ceph: Ceph, pool: Any, maps: bool
) -> None:
    asked = REQUESTS if maps else REQUESTS + LOOKUPS

    def backed_up(volume: Any, **options: Any) -> Any:
        before = ceph.traffic()
        backup = cinder.create_backup(volume, "datera_nightly", **options)
        assert backup.status == "available", (backup.fail_reason, cinder.failures)
        cost = ceph.traffic().since(before)
        assert HOLDS < cost.sent < HOLDS + BESIDES
        assert cost.messages < asked
        return backup

    def restored(backup: Any, onto: Any = None) -> Any:
        before = ceph.traffic()
        target = cinder.restore_backup(backup, onto)
        assert target.status == "available", cinder.failures
        cost = ceph.traffic().since(before)
        assert HOLDS < cost.received < HOLDS + BESIDES
        assert cost.messages < asked
        return target

    volume = cinder.create_volume(SIZE // GIB)
    clone_in_place_of(pool, volume, maps=maps)
    target = restored(backed_up(volume))
    assert differences(pool, volume.name, target.name) == []

    # Onto what holds other data: where there shall be data, where there shall be none, and next to
    # either.
    with opened(pool, volume.name) as image:
        fill(image, {5 * OBJECT + 77: 1000}, 3)
    with opened(pool, target.name) as image:
        fill(image, {OBJECT: 40 * MIB, GIB - OBJECT: 12 * MIB, 1600 * MIB - 7: 9 * MIB}, 4)
    restored(backed_up(volume, incremental=True), target)
    assert differences(pool, volume.name, target.name) == []
