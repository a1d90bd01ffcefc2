# SPDX-License-Identifier: Apache-2.0
"""Clusters for one test, without sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from datera_emulator.switches import Switches
from tests.fixtures.datera.emulated_api import Api, MakeApi


@pytest.fixture
def make_api(tmp_path: Path) -> Iterator[MakeApi]:
    """Make a logged-in :class:`Api`; another one continues with the same state."""
    made: list[Api] = []

    def make(sw_version: str = "3.3.0.0", switches: Switches | None = None) -> Api:
        for former in made:
            former.cluster.close()
        api = Api(tmp_path, switches=switches or Switches(), sw_version=sw_version)
        if sw_version.startswith("2."):
            api.version = "v2.1"
        made.append(api)
        api.log_in()
        return api

    yield make
    made[-1].cluster.close()


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """The usual cluster."""
    return make_api()
