# SPDX-License-Identifier: Apache-2.0
"""Named backups to every backend from one service, restored by the other host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import permutations

import pytest

from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cinder_conf import BACKENDS, VOLUME_BACKENDS
from tests.services.stack.project import MIB, Project

OWNERS = {
    "datera": "datera_backup.driver.DateraBackupDriver",
    "ceph": "cinder.backup.drivers.ceph.CephBackupDriver",
    "swift": "cinder.backup.drivers.swift.SwiftBackupDriver",
    "swift_v1": "cinder.backup.drivers.swift.SwiftBackupDriver@swift_v1",
    "s3": "cinder.backup.drivers.s3.S3BackupDriver",
}
DATA = ((0, 3 * MIB, 1), (300 * MIB + 512, MIB, 2), (1023 * MIB, MIB, 3))
OTHER_DATA = ((10 * MIB, 2 * MIB, 4), (700 * MIB, MIB, 5))


@pytest.mark.parametrize("kind", VOLUME_BACKENDS)
def test_each_backend_keeps_a_backup_that_the_other_host_restores(
    kind: str, alice: Project, only_host: Callable[[str], AbstractContextManager[None]]
) -> None:
    volume = alice.volume(kind, *DATA)
    digest = alice.digest(volume)
    made = {name: alice.backup(volume, f"{name}_nightly") for name in BACKENDS}
    assert {name: record["service"] for name, record in made.items()} == OWNERS
    used = alice.volume(kind, *OTHER_DATA)
    for host, other in permutations(BACKUP_HOSTS):
        # Cinder's scheduler chose who made which.
        theirs = {name: record["id"] for name, record in made.items() if record["host"] == host}
        with only_host(other):
            for name, backup in theirs.items():
                assert alice.digest(alice.restore(backup)) == digest, name
                alice.restore(backup, used)
                assert alice.digest(used) == digest, name
                assert alice.record(backup)["host"] == other
                alice.delete_backup(backup)
