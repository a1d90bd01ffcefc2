# SPDX-License-Identifier: Apache-2.0
"""Vanilla Cinder beside the dispatcher, and after it: in a process of its own, as in life."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.release

PROGRAM = """
import sys
from cinder import context, objects, rpc
objects.register_all()
from oslo_config import cfg
CONF = cfg.CONF
CONF([], project="cinder", default_config_files=[sys.argv[1]])
rpc.init(CONF)
from backup_dispatch.driver import BackupDispatcher
BackupDispatcher(None)
from cinder.backup import manager
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SHELF = "tests.fixtures.backends.shelf_driver.ShelfBackupDriver"
assert {POSIX + "@", SHELF + "@"} < set(manager.MAPPING), manager.MAPPING
records = {
    one.display_name: one
    for one in objects.BackupList.get_all(context.get_admin_context())
}
for path, mine in ((POSIX, "posix_1"), (SHELF, "shelf_driver_1")):
    CONF.set_override("backup_driver", path)
    vanilla = manager.BackupManager(host="h", cluster=None)
    name = vanilla.service.__module__ + "." + vanilla.service.__qualname__
    assert name == path == vanilla.driver_name, name
    assert [key for key, one in records.items() if vanilla._is_our_backup(one)] == [mine]
"""


def test_a_vanilla_manager_stays_vanilla_and_owns_the_records_of_its_driver(
    start_dispatching: Callable[..., Any], tmp_path: Path
) -> None:
    """Its manager translates ``backup_driver`` by the table that the dispatcher adds to."""
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    for name in ("posix_1", "shelf_driver_1"):
        assert cinder.create_backup(volume, name).status == "available"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "cinder.conf")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
