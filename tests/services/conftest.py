# SPDX-License-Identifier: Apache-2.0
"""A whole cloud of real servers, started once for all stories."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.services.stack.cloud import Cloud
    from tests.services.stack.project import Project


def pytest_configure() -> None:
    """Let whoever ends the run end the servers too: fixtures are undone after an interrupt."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    from tests.services.stack.cloud import Cloud

    # A short name: the servers' sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="services-") as directory:
        running = Cloud(Path(directory))
        try:
            running.start()
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="session")
def alice(cloud: Cloud) -> Project:
    from tests.services.stack.project import Project

    return Project(cloud, "alice")


@pytest.fixture(scope="session")
def bob(cloud: Cloud) -> Project:
    from tests.services.stack.project import Project

    return Project(cloud, "bob")


@pytest.fixture(scope="session")
def only_host(cloud: Cloud) -> Callable[[str], AbstractContextManager[None]]:
    """Let one cinder-backup host have all new work, as an administrator does it."""
    from tests.services.stack.cinder import BACKUP_HOSTS
    from tests.services.stack.people import ADMIN

    admin = cloud.client(ADMIN)

    @contextmanager
    def only(host: str) -> Iterator[None]:
        others = [other for other in BACKUP_HOSTS if other != host]
        for other in others:
            admin("volume", "service", "set", "--disable", other, "cinder-backup")
        try:
            yield
        finally:
            for other in others:
                admin("volume", "service", "set", "--enable", other, "cinder-backup")

    return only
