# SPDX-License-Identifier: Apache-2.0
"""Copies that fail, are killed or interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.copying import backup_of_four_objects, copying_cloud


@pytest.fixture
def cloud(
    request: pytest.FixtureRequest, start_cinder: Callable[..., Any], shelf: Path
) -> Iterator[Any]:
    with copying_cloud(request, start_cinder, shelf) as cloud:
        yield cloud


@pytest.fixture
def source(cloud: Any) -> Any:
    return backup_of_four_objects(cloud)
