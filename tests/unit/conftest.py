# SPDX-License-Identifier: Apache-2.0
"""Cinder's coordination over files of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest


@pytest.fixture
def coordinated(tmp_path: Path) -> Iterator[Path]:
    """Locks of the cloud and of the host in one folder, which is returned."""
    # Here, for the connection layer is tested without any Cinder.
    from cinder import coordination
    from oslo_concurrency import lockutils
    from oslo_config import cfg

    conf = cfg.CONF
    path = tmp_path / "cinder.conf"
    path.write_text(f"[coordination]\nbackend_url = file://{tmp_path}\n")
    conf([], project="cinder", default_config_files=[str(path)])
    lockutils.set_defaults(str(tmp_path))
    coordinator = coordination.Coordinator(prefix="test-")
    with mock.patch.object(coordination, "COORDINATOR", coordinator):
        coordinator.start()
        yield tmp_path
        coordinator.stop()
    conf.reset()
