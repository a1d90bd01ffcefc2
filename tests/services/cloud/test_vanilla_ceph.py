# SPDX-License-Identifier: Apache-2.0
"""A cloud with Cinder's Ceph driver enables the dispatcher, with Datera added, and disables it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from demo.servers.processes import environment
from tests.services.stack.cinder import BIN
from tests.services.stack.client import CommandFailed
from tests.services.stack.cloud import Cloud
from tests.services.stack.project import MIB, Project

CEPH = "cinder.backup.drivers.ceph.CephBackupDriver"
DATERA = "datera_backup.driver.DateraBackupDriver"
SECONDS = 120.0


@pytest.fixture
def vanilla(cloud: Cloud) -> Iterator[None]:
    """Run Cinder's own driver on both hosts; afterwards the dispatcher again."""
    cloud.switch_backup_driver(CEPH)
    try:
        yield
    finally:
        cloud.switch_backup_driver()


def test_a_vanilla_ceph_cloud_switches_to_the_dispatcher_and_back(
    cloud: Cloud, alice: Project, vanilla: None
) -> None:
    volume = alice.volume("rbd", (0, 4 * MIB, 81))
    cloud.await_work()
    first = alice.backup(volume, "old")
    assert first["service"] == CEPH
    digests = {first["id"]: alice.digest(volume)}
    alice.write(volume, (9 * MIB, MIB, 82))
    second = alice.backup(volume, "old 1", "--incremental")
    digests[second["id"]] = alice.digest(volume)

    cloud.switch_backup_driver()
    for backup, digest in digests.items():
        assert alice.digest(alice.restore(backup)) == digest
    alice.write(volume, (20 * MIB, MIB, 83))
    third = alice.backup(volume, "ceph_2", "--incremental")
    assert (third["service"], third["parent_id"]) == (CEPH, second["id"])
    digests[third["id"]] = alice.digest(volume)
    added = alice.backup(volume, "datera_full")
    assert added["service"] == DATERA
    assert alice.digest(alice.restore(added["id"])) == digests[third["id"]]

    told = subprocess.run(
        [BIN / "backup-dispatch", *cloud.cinder.arguments("backup-one"), "release",
         "--driver", "ceph"],
        env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert added["id"] in told.stdout, (told.stdout, told.stderr)
    assert not any(backup in told.stdout for backup in digests), told.stdout

    cloud.switch_backup_driver(CEPH)
    for backup, digest in digests.items():
        assert alice.digest(alice.restore(backup)) == digest
    with pytest.raises((CommandFailed, AssertionError)):
        alice.restore(added["id"])
    alice.write(volume, (30 * MIB, MIB, 84))
    cloud.await_work()
    newest = alice.backup(volume, "old 3", "--snapshot", alice.snapshot(volume))
    alice.delete_backups(newest["id"])

    cloud.switch_backup_driver()
    assert alice.digest(alice.restore(added["id"])) == digests[third["id"]]
    for backup in (added["id"], *reversed(digests)):
        alice.delete_backups(backup)
