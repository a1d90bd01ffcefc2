# SPDX-License-Identifier: Apache-2.0
"""Copies from a real Ceph and to it, restored by Cinder alone on the target's driver."""

from __future__ import annotations

import importlib
import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.backends.contract_backends import datera_options
from tests.fixtures.backends.five_backends import CLASSES, counted, make_room, switch_to, usage_of
from tests.fixtures.backends.s3_service import MotoService
from tests.fixtures.backends.swift_service import SwiftService
from tests.services.stack.servers.ceph import Ceph
from tests.services.stack.servers.daemons import Daemons

MIB = 2**20
GIB = 2**30
OTHERS = ("datera", "posix", "swift", "s3")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ceph, str]]:
    """Ceph, and the options for all of Cinder's drivers."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as running:
        daemons = Daemons(folder / "log")
        running.callback(daemons.stop, hurried=lambda: True)
        ceph = Ceph(folder / "ceph", daemons)
        ceph.start()
        swift = running.enter_context(SwiftService(folder / "swift"))
        moto = running.enter_context(MotoService(folder / "moto"))
        options = [f"{name} = {value}" for name, value in ceph.backup_options.items()]
        yield ceph, "\n".join([*options, swift.cinder_options(), moto.cinder_options()])


@pytest.fixture
def cloud(
    servers: tuple[Ceph, str],
    tmp_path: Path,
    start_cinder: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    cinder_imported: None,
) -> Iterator[Any]:
    """A Cinder with all five backends, whose volumes have the size that their records say."""
    from datera_backup.storage.backend import forget_backends
    from tests.fixtures.cinder import file_volume

    monkeypatch.setattr(file_volume, "SIZE_OF_A_GIB", GIB)
    _, options = servers
    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        f"enabled_backup_backends = {', '.join(('ceph', *OTHERS))}",
        options,
    )
    with Emulator(state_dir=tmp_path / "array", transport="file") as emulator:
        brick.install()
        yield start_cinder(defaults="\n".join((*lines, datera_options(emulator))))
        brick.uninstall()
    forget_backends()


def copied(folder: Path, *arguments: str) -> str:
    """Copy one backup, and return the copy's ID."""
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.table import COMMANDS

    out, err = io.StringIO(), io.StringIO()
    app = CommandApp(COMMANDS, io.StringIO(), out, err)
    code = app.run(["--config-file", f"{folder}/cinder.conf", "copy", *arguments, "-f", "json"])
    assert code == 0, (out.getvalue(), err.getvalue())
    (row,) = json.loads(out.getvalue())
    assert row["Result"] in ("copied", "moved")
    return str(row["Copy"])


def stored_in(ceph: Ceph, image: str) -> int:
    """The bytes of an image for which there are objects."""
    rados, rbd = importlib.import_module("rados"), importlib.import_module("rbd")
    there: list[int] = []
    options = ceph.backup_options
    client = rados.Rados(rados_id=ceph.user, conffile=str(ceph.conf))
    with (
        client,
        client.open_ioctx(str(options["backup_ceph_pool"])) as pool,
        rbd.Image(pool, image, read_only=True) as opened,
    ):

        def note(_offset: int, length: int, exists: bool) -> None:
            there.append(length if exists else 0)

        opened.diff_iterate(0, opened.size(), None, note, whole_object=True)
    return sum(there)


def test_copies_from_and_to_ceph_restore_by_cinder_alone(cloud: Any, tmp_path: Path) -> None:
    make_room(cloud, 30)
    volume = cloud.create_volume(1, name="precious")
    for place in (0, 300 * MIB + 512, GIB - MIB):
        cloud.write(volume, place, random.Random(place).randbytes(MIB))
    sources = {}
    for backend in ("ceph", *OTHERS):
        sources[backend] = cloud.create_backup(volume, f"{backend}_1")
        assert sources[backend].status == "available", sources[backend].fail_reason
    copies = {"ceph": [copied(tmp_path, sources[one].id, "--to", "ceph") for one in OTHERS]}
    for backend in OTHERS:
        copies[backend] = [copied(tmp_path, sources["ceph"].id, "--to", backend)]
    assert usage_of(cloud) == counted(cloud)
    for backend, ids in copies.items():
        switch_to(cloud, backend)
        for copy_id in ids:
            copy = cloud.backup(copy_id)
            assert copy.service == CLASSES[backend]
            restored = cloud.restore_backup(copy)
            assert restored.status == "available", cloud.failures
            assert restored.display_name == "precious"
            assert cloud.first_difference(restored, volume) is None, backend
            cloud.delete_volume(restored)
            assert cloud.delete_backup(copy) is None, cloud.failures
    assert usage_of(cloud) == counted(cloud)


def test_backups_are_moved_out_of_ceph_and_nothing_is_left(
    cloud: Any, tmp_path: Path, servers: tuple[Ceph, str]
) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 5 * MIB, b"moved" * 100_000)
    source = cloud.create_backup(volume, "ceph_1")
    ceph, _ = servers
    assert any(source.id in name for name in ceph.backup_images())
    copy = copied(tmp_path, source.id, "--to", "datera", "--move", "--yes")
    assert not any(source.id in name for name in ceph.backup_images())
    back = copied(tmp_path, copy, "--to", "ceph", "--move", "--yes")
    assert stored_in(ceph, f"volume-{volume.id}.backup.{back}") < 64 * MIB
    switch_to(cloud, "ceph")
    assert cloud.first_difference(cloud.restore_backup(cloud.backup(back)), volume) is None
    assert usage_of(cloud) == counted(cloud)
