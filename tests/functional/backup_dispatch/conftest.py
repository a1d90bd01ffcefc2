# SPDX-License-Identifier: Apache-2.0
"""A Cinder whose backup driver is the dispatcher, over backends that keep real data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.backends.s3_service import MotoService, S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService
from tests.services.stack.servers.ceph import Ceph
from tests.services.stack.servers.daemons import Daemons

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftService]:
    with SwiftService(tmp_path_factory.mktemp("swift")) as service:
        yield service


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with MotoService(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    """Started with its gateway, which takes longer than what one backend is asked."""
    folder = tmp_path_factory.mktemp("ceph")
    servers = Daemons(folder / "log")
    try:
        cluster = Ceph(folder / "cluster", servers)
        cluster.start()
        cluster.start_gateway()
        yield cluster
    finally:
        # At once: what they still have to write is of no use to anybody.
        servers.stop(hurried=lambda: True)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Where the shelf keeps its backups."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def recording() -> Iterator[Any]:
    """The driver that records its calls, without those of other tests in this process."""
    from tests.fixtures.backends.recording_driver import RecordingBackupDriver

    RecordingBackupDriver.calls.clear()
    RecordingBackupDriver.answers.clear()
    yield RecordingBackupDriver
    RecordingBackupDriver.calls.clear()
    RecordingBackupDriver.answers.clear()


@pytest.fixture
def start_dispatching(
    start_cinder: Callable[..., Any], shelf: Path
) -> Iterator[Callable[..., Any]]:
    """Start a Cinder with the primary posix and the secondary shelf, or with others."""

    def start(
        *,
        primary: str = "posix",
        secondaries: str = "tests.fixtures.backends.shelf_driver",
        more: str = "",
        **options: Any,
    ) -> Any:
        lines = (
            DISPATCHER,
            f"backup_dispatch_primary = {primary}",
            f"backup_datera_secondary_backup_drivers = {secondaries}",
            more,
        )
        return start_cinder(defaults="\n".join(lines), **options)

    yield start
    this_process().stop_checking()
