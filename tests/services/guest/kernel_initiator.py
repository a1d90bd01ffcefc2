# SPDX-License-Identifier: Apache-2.0
"""Run inside the guest: unmodified os-brick, with the kernel's initiator, against tgtd."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from datera_emulator import Emulator
from tests.fixtures.backends.contract_backends import datera_options

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

MIB = 2**20
OFFSET = 17 * MIB
"""Where a volume has data, and none before."""


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path / "array", transport="tgt") as running:
        yield running


@pytest.fixture
def cinder(
    request: pytest.FixtureRequest, emulator: Emulator, start_cinder: Callable[..., CinderService]
) -> Iterator[CinderService]:
    """A Cinder that attaches through one portal, or, with the parameter True, through both."""
    from datera_backup.storage.backend import forget_backends

    backend = f"""\
volume_driver = datera_volume.driver.DateraDriver
san_ip = 127.0.0.1
san_login = {emulator.username}
san_password = {emulator.password}
datera_api_port = {emulator.https_port}
driver_ssl_cert_verify = True
driver_ssl_cert_path = {emulator.ca_bundle}
use_chap_auth = True
chap_username = cinder
chap_password = secretsecret1
"""
    defaults = "\n".join(
        (
            "backup_driver = datera_backup.driver.DateraBackupDriver",
            f"use_multipath_for_image_xfer = {request.param}",
            f"enforce_multipath_for_image_xfer = {request.param}",
            datera_options(emulator),
        )
    )
    yield start_cinder(defaults=defaults, backend=backend, section="array")
    forget_backends()


def data_file(emulator: Emulator, name: str) -> Path:
    cluster = emulator.cluster
    with cluster.lock:
        (found,) = [one for one in cluster.app_instances.values() if one.name.endswith(name)]
        ((_, volume),) = found.volumes()
        return cluster.files.path(volume.file)


def written(emulator: Emulator, volume: Any, seed: int) -> bytes:
    """Write some megabytes into a volume; return them."""
    data = random.Random(seed).randbytes(12 * MIB)
    with data_file(emulator, volume.id).open("r+b") as file:
        file.seek(OFFSET)
        file.write(data)
    return data


def sessions() -> list[str]:
    listed = subprocess.run(
        ["iscsiadm", "-m", "session"], capture_output=True, text=True, check=False
    )
    return listed.stdout.splitlines()


@pytest.mark.parametrize("cinder", [False], indirect=True, ids=["one portal"])
def test_a_volume_is_attached_with_chap(emulator: Emulator, cinder: CinderService) -> None:
    from os_brick.initiator import connector
    from oslo_config import cfg

    multipath = cfg.CONF.use_multipath_for_image_xfer
    volume = cinder.create_volume(1)
    driver = cinder.volume_manager.driver
    properties: dict[str, Any] = connector.get_connector_properties(
        "env", "127.0.0.1", multipath, multipath
    )
    connection = driver.initialize_connection(volume, properties)["data"]
    assert connection["auth_method"] == "CHAP"
    iscsi = connector.InitiatorConnector.factory(
        "ISCSI", "env", use_multipath=multipath, device_scan_attempts=5
    )
    assert type(iscsi).__module__ == "os_brick.initiator.connectors.iscsi"
    device = iscsi.connect_volume(connection)
    assert len(sessions()) == (2 if multipath else 1)
    assert len(list(emulator.cluster.sessions)) == len(sessions())
    with open(device["path"], "r+b", buffering=0) as disk:
        disk.seek(MIB)
        disk.write(b"through the kernel".ljust(4096))
    iscsi.disconnect_volume(connection, device)
    with data_file(emulator, volume.id).open("rb") as file:
        file.seek(MIB)
        assert file.read(18) == b"through the kernel"
    driver.terminate_connection(volume, properties)
    assert sessions() == []


@pytest.mark.parametrize("cinder", [True], indirect=True, ids=["two portals"])
def test_a_chain_through_the_kernel_restores_and_gives_room_back(
    emulator: Emulator, cinder: CinderService
) -> None:
    from datera_backup.driver import DateraBackupDriver

    # Two backups and one restore: each moves a gigabyte through a slow kernel.
    volume = cinder.create_volume(1)
    written(emulator, volume, 0)
    first = cinder.create_backup(volume, "monday")
    expected = written(emulator, volume, 1)
    second = cinder.create_backup(volume, "tuesday", incremental=True)
    for backup in (first, second):
        assert backup.status == "available", (backup.fail_reason, cinder.failures)
    container = data_file(emulator, first.container)
    room = container.stat().st_blocks * 512
    DateraBackupDriver(cinder.context).forget(first)
    first.destroy()
    # What the first had alone is free now, except for space next to blocks in use.
    assert room - container.stat().st_blocks * 512 > 11 * MIB
    target = cinder.restore_backup(second)
    assert target.status == "available", cinder.failures
    with data_file(emulator, target.id).open("rb") as restored:
        assert restored.read(OFFSET + len(expected) + MIB) == bytes(OFFSET) + expected + bytes(MIB)
    assert cinder.delete_backup(second) is None
    assert sessions() == []
    assert not list(emulator.cluster.sessions)
