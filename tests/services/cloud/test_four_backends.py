# SPDX-License-Identifier: Apache-2.0
"""Named backups to every backend from one service, restored by the other host."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import permutations

import pytest

from tests.services.stack.cinder import BACKUP_HOSTS
from tests.services.stack.cinder_conf import BACKENDS
from tests.services.stack.project import MIB, Project

OWNERS = {
    "datera": "datera_backup.driver.DateraBackupDriver",
    "ceph": "cinder.backup.drivers.ceph.CephBackupDriver",
    "swift": "cinder.backup.drivers.swift.SwiftBackupDriver",
    "swift_v1": "cinder.backup.drivers.swift.SwiftBackupDriver@swift_v1",
    "s3": "cinder.backup.drivers.s3.S3BackupDriver",
}
# Swift reads a volume in Ceph in the chains' test; here it would only take longer.
KINDS = {"array": BACKENDS, "rbd": ("datera", "ceph", "s3")}
DATA = ((0, 3 * MIB, 1), (300 * MIB + 512, MIB, 2), (1023 * MIB, MIB, 3))
OTHER_DATA = ((10 * MIB, 2 * MIB, 4), (700 * MIB, MIB, 5))


@pytest.mark.parametrize(("kind", "backends"), KINDS.items(), ids=KINDS)
def test_each_backend_keeps_a_backup_that_the_other_host_restores(
    kind: str,
    backends: tuple[str, ...],
    alice: Project,
    only_host: Callable[[str], AbstractContextManager[None]],
) -> None:
    # One each: Cinder creates one backup of a volume at a time.
    volumes = alice.volumes(kind, *(DATA for _ in backends))
    digest = alice.digest(volumes[0])
    begun = {
        name: alice.begin_backup(volume, f"{name}_nightly")
        for name, volume in zip(backends, volumes, strict=True)
    }
    made = {name: alice.await_backup(backup, "available") for name, backup in begun.items()}
    owners = {name: record["service"] for name, record in made.items()}
    assert owners == {name: OWNERS[name] for name in backends}
    for host, other in permutations(BACKUP_HOSTS):
        # Cinder's scheduler chose the hosts.
        theirs = {name: backup for name, backup in begun.items() if made[name]["host"] == host}
        with only_host(other):
            onto_new = alice.restore_all(theirs.values())
            assert alice.digests(onto_new) == [digest] * len(theirs), theirs
            for target in onto_new:
                alice.write(target, *OTHER_DATA)
            onto_used = alice.restore_all(theirs.values(), onto_new)
            assert alice.digests(onto_used) == [digest] * len(theirs), theirs
        assert {alice.record(backup)["host"] for backup in theirs.values()} <= {other}
    alice.delete_backups(*begun.values())
