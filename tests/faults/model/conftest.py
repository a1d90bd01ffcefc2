# SPDX-License-Identifier: Apache-2.0
"""Starts the cloud of a walk, over a Swift and an S3 server that all walks share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.model.expected import SIZE
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService
from tests.functional.backup_dispatch.conftest import moto, swift

if TYPE_CHECKING:
    from tests.faults.model.cloud import Cloud

__all__ = ["moto", "swift"]


@pytest.fixture
def new_cloud(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    run_directory: Path,
    cinder_imported: None,
    iscsi_alone: None,
) -> Callable[[], Cloud]:
    """Makes a cloud, to be started; each has a folder, a container and a bucket of its own."""
    # Cinder's objects must be registered first.
    from tests.faults.model.cloud import Cloud

    swift_service: SwiftService = request.getfixturevalue("swift")
    s3: S3Endpoint = request.getfixturevalue("moto")
    numbers = count()

    def new() -> Cloud:
        folder = tmp_path / f"walk{next(numbers)}"
        folder.mkdir()
        return Cloud(folder, template_folder=run_directory, swift=swift_service, s3=s3, size=SIZE)

    return new
