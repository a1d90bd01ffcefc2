# SPDX-License-Identifier: Apache-2.0
"""Clusters of three generations, and drivers for which no time passes while they wait."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from datera_volume.features import attach
from tests.faults.volumes.stage import Stage
from tests.functional.datera_volume.versions.conftest import Array, arrays

__all__ = ["arrays"]

VERSIONS = ("2.1 of 2.2.7", "2.2 of 3.3.1", "2.3 of 3.3.1")


@pytest.fixture(scope="module")
def stages(arrays: dict[str, Array]) -> Iterator[dict[str, Stage]]:
    made = {name: Stage(arrays[name]) for name in VERSIONS}
    yield made
    for stage in made.values():
        stage.driver.cluster.close()


@pytest.fixture
def stage(stages: dict[str, Stage], version: str, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The cluster of the version that a test is about, with the date of its own clock."""
    stage = stages[version]
    monkeypatch.setattr(attach, "time", SimpleNamespace(time=stage.clock.today))
    return stage
