# SPDX-License-Identifier: Apache-2.0
"""A complete cloud of real servers, started once for all scenarios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.services.stack.cloud import Cloud
    from tests.services.stack.project import Project


@pytest.fixture(scope="session")
def cloud(run_folder: Path) -> Iterator[Cloud]:
    from tests.services.stack.cloud import Cloud

    running = Cloud(run_folder)
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
    """Send all restores and deletions to one cinder-backup host."""
    from tests.services.stack.cinder import BACKUP_HOSTS

    @contextmanager
    def only(host: str) -> Iterator[None]:
        others = [other for other in BACKUP_HOSTS if other != host]
        for other in others:
            cloud.disable_backup(other)
        try:
            yield
        finally:
            for other in others:
                cloud.enable_backup(other)

    return only
