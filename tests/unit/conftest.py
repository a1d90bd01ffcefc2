# SPDX-License-Identifier: Apache-2.0
"""How properties are tested, and Cinder's coordination over files of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is slower than any deadline, and what passes once is to pass everywhere: others
# are tried by `--hypothesis-profile=exploring`.
settings.register_profile(
    "repeatable",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("exploring", settings.get_profile("repeatable"), derandomize=False)
settings.load_profile("repeatable")


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
