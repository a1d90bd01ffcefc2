# SPDX-License-Identifier: Apache-2.0
"""The dispatcher with Datera as its primary, over a cluster of the emulator's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.target import brick

pytestmark = pytest.mark.release

DATERA = "datera_backup.driver.DateraBackupDriver"
SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
IMPORTED = "backup_dispatch.driver.BackupDispatcher@imported"
MIB = 2**20

Start = Callable[..., Any]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path / "array") as running:
        brick.install("iqn.1993-08.org.debian:01:testhost")
        yield running
        brick.uninstall()


@pytest.fixture
def cinder(start_dispatching: Start, emulator: Emulator) -> Iterator[Any]:
    from datera_backup.storage.backend import forget_backends

    options = {
        "backup_datera_san_ip": "127.0.0.1",
        "backup_datera_san_login": emulator.username,
        "backup_datera_san_password": emulator.password,
        "backup_datera_api_port": emulator.https_port,
        "backup_datera_ssl_cert_verify": True,
        "backup_datera_ssl_cert_path": emulator.ca_bundle,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in options.items())
    yield start_dispatching(primary="datera", more=lines)
    forget_backends()


def test_chains_on_datera_and_elsewhere_interleave_move_and_go(
    cinder: Any, emulator: Emulator, shelf: Path
) -> None:
    volume = cinder.create_volume(1)
    backups: dict[str, Any] = {}
    contents: dict[str, bytes] = {}
    for number, name in enumerate(("datera_1", "shelf_driver_1", "tuesday", "shelf_driver_2")):
        cinder.write(volume, number * MIB, bytes([number + 1]) * MIB)
        cinder.write(volume, 10 * MIB, bytes([number + 1]) * MIB)
        backups[name] = cinder.create_backup(volume, name, incremental=number > 1)
        assert backups[name].status == "available", backups[name].fail_reason
        contents[name] = cinder.read(volume, 0, 16 * MIB)
    assert [one.service for one in backups.values()] == [DATERA, SHELF, DATERA, SHELF]
    assert backups["tuesday"].parent_id == backups["datera_1"].id
    assert backups["shelf_driver_2"].parent_id == backups["shelf_driver_1"].id

    for name, backup in list(backups.items()):
        record = cinder.export_backup(backup)
        # Cinder revives the record of a deleted backup: it must learn nothing from it.
        backup.service = None
        backup.save()
        backup.destroy()
        imported = cinder.import_backup(record)
        assert imported.status == "available", imported.fail_reason
        assert imported.service == IMPORTED
        restored = cinder.restore_backup(imported)
        assert restored.status == "available", cinder.failures
        assert cinder.read(restored, 0, 16 * MIB) == contents[name], name
        backups[name] = cinder.backup(backup.id)
    assert [one.service for one in backups.values()] == [DATERA, SHELF, DATERA, SHELF]

    for backup in reversed(backups.values()):
        assert cinder.delete_backup(backup) is None, cinder.failures
    assert not emulator.cluster.app_instances
    assert not list(shelf.rglob("*_backup_*"))


def test_a_refused_name_never_reaches_the_cluster(cinder: Any, emulator: Emulator) -> None:
    refused = cinder.create_backup(cinder.create_volume(1), "swift_monday")
    assert refused.fail_reason.startswith("The backup's name begins with swift, a backend that is")
    assert not emulator.cluster.app_instances
    assert cinder.delete_backup(refused) is None
