# SPDX-License-Identifier: Apache-2.0
"""Attaching, backup and restore over real iSCSI: tgtd on one side, libiscsi on the other."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from datera_emulator.state.sessions import Sessions
from datera_emulator.target import brick
from tests.fixtures.backends.contract_backends import datera_options, volume_options

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

INITIATOR = "iqn.1993-08.org.debian:01:iscsihost"
STRANGER = "iqn.1993-08.org.debian:01:stranger"
MIB = 2**20

pytestmark = pytest.mark.skipif(
    not os.access("/dev/fuse", os.R_OK | os.W_OK),
    reason="this user may not use /dev/fuse, through which libiscsi's volumes are shown",
)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path / "array", transport="tgt") as running:
        brick.install(INITIATOR, "libiscsi")
        yield running
        brick.uninstall()


@pytest.fixture
def cinder(
    emulator: Emulator, start_cinder: Callable[..., CinderService]
) -> Iterator[CinderService]:
    """A Cinder with volumes and backups on the cluster, with CHAP."""
    from datera_backup.storage.backend import forget_backends

    backend = f"""\
{volume_options(emulator)}
use_chap_auth = True
chap_username = cinder
chap_password = secretsecret1
"""
    driver = "backup_driver = datera_backup.driver.DateraBackupDriver"
    yield start_cinder(
        defaults=f"{driver}\n{datera_options(emulator)}", backend=backend, section="array"
    )
    forget_backends()


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The IQNs of the targets of all logins."""
    seen: list[str] = []
    real = Sessions.add

    def add(sessions: Sessions, session: Any, end: Callable[[], None]) -> None:
        seen.append(session.iqn)
        real(sessions, session, end)

    monkeypatch.setattr(Sessions, "add", add)
    return seen


def data_file(emulator: Emulator, name: str) -> Path:
    """The data file of the only app instance whose name has this ending."""
    cluster = emulator.cluster
    with cluster.lock:
        (found,) = [one for one in cluster.app_instances.values() if one.name.endswith(name)]
        ((_, volume),) = found.volumes()
        return cluster.files.path(volume.file)


def test_a_volume_is_backed_up_and_restored(
    emulator: Emulator, cinder: CinderService, logins: list[str]
) -> None:
    volume = cinder.create_volume(1)
    expected = random.Random(1).randbytes(5 * MIB)
    with data_file(emulator, volume.id).open("r+b") as file:
        file.seek(17 * MIB)
        file.write(expected)
    backup = cinder.create_backup(volume, "nightly")
    assert backup.status == "available", (backup.fail_reason, cinder.failures)
    assert len(set(logins)) == 2, "the volume and the container"
    target = cinder.restore_backup(backup)
    assert target.status == "available", cinder.failures
    with data_file(emulator, target.id).open("rb") as restored:
        restored.seek(16 * MIB)
        assert restored.read(7 * MIB) == bytes(MIB) + expected + bytes(MIB)
    assert cinder.delete_backup(backup) is None
    assert not list(emulator.cluster.sessions)
    assert {one.admin_state for one in emulator.cluster.app_instances.values()} == {"offline"}


def test_zeros_of_a_restore_are_freed_on_the_cluster(
    emulator: Emulator, cinder: CinderService
) -> None:
    volume = cinder.create_volume(1)
    path = data_file(emulator, volume.id)
    expected = random.Random(2).randbytes(MIB)
    with path.open("r+b") as file:
        file.write(expected)
    backup = cinder.create_backup(volume, "nightly")
    assert backup.status == "available", (backup.fail_reason, cinder.failures)
    with path.open("r+b") as file:
        file.seek(100 * MIB)
        file.write(random.Random(3).randbytes(20 * MIB))
    assert path.stat().st_blocks * 512 >= 21 * MIB
    target = cinder.restore_backup(backup, volume)
    assert target.status == "available", cinder.failures
    assert path.stat().st_blocks * 512 < 2 * MIB
    with path.open("rb") as file:
        assert file.read(MIB) == expected
        file.seek(99 * MIB)
        assert file.read(22 * MIB) == bytes(22 * MIB)


def test_a_target_is_there_while_its_storage_is_online(
    emulator: Emulator, cinder: CinderService
) -> None:
    from os_brick.exception import BrickException
    from os_brick.initiator import connector

    volume = cinder.create_volume(1)
    driver = cinder.volume_manager.driver
    host = {"initiator": INITIATOR, "host": "iscsihost", "multipath": False}
    connection = driver.initialize_connection(volume, host)["data"]
    assert connection["auth_method"] == "CHAP"
    iscsi = connector.InitiatorConnector.factory("ISCSI", "env", expect_raw_disk=True)
    device = iscsi.connect_volume(connection)
    assert device["path"].write(b"over the wire".ljust(4096)) == 4096
    iscsi.disconnect_volume(connection, device)
    with data_file(emulator, volume.id).open("rb") as file:
        assert file.read(13) == b"over the wire"

    for refused in ({**connection, "auth_password": "wrongwrongwrong"},):
        with pytest.raises(BrickException, match="Authentication failure"):
            iscsi.connect_volume(refused)
    brick.install(STRANGER, "libiscsi")
    with pytest.raises(BrickException, match="not found"):
        iscsi.connect_volume(connection)
    brick.install(INITIATOR, "libiscsi")
    driver.terminate_connection(volume, host)
    with pytest.raises(BrickException):
        iscsi.connect_volume(connection)
