# SPDX-License-Identifier: Apache-2.0
"""One backend fails under load: the others keep working, and it works again once it is back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.services.stack.cloud import Cloud
from tests.services.stack.project import MIB, Project


@dataclass(frozen=True)
class Outage:
    """An outage, and its consequences.

    :ivar gone: the backends that fail with it.
    :ivar others: those that keep working.
    :ivar kind: the volumes that are backed up.
    :ivar waiting: those whose running backup may wait for as long as the store is unreachable.
    """

    begin: Callable[[Cloud], AbstractContextManager[None]]
    gone: tuple[str, ...]
    others: tuple[str, ...]
    kind: str
    waiting: tuple[str, ...] = ()


# Of the others, each keeps working in one outage at least: more would only take longer.
OUTAGES = {
    "swift": Outage(Cloud.swift_away, ("swift",), ("datera", "ceph"), "array"),
    # The gateway's store is the same Ceph. The rados timeouts do not apply to librbd's flush.
    "ceph": Outage(
        Cloud.ceph_away, ("ceph", "s3"), ("datera", "swift"), "array", waiting=("ceph",)
    ),
    "array": Outage(Cloud.array_away, ("datera",), ("ceph", "s3"), "rbd"),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_other_backends_go_on_while_one_is_down(
    outage: Outage, cloud: Cloud, alice: Project
) -> None:
    gone, others = outage.gone, outage.others
    names = (*gone, *others)
    content = ((0, 200 * MIB, 51),)
    made = alice.volumes(outage.kind, *(content for _ in names))
    volumes = dict(zip(names, made, strict=True))
    # Cinder would create them on any backend, including the failed one.
    targets = dict(zip(names, alice.volumes(outage.kind, *(() for _ in names)), strict=True))
    digest = alice.digest(made[0])
    begun = {name: alice.begin_backup(volumes[name], f"{name}_before") for name in names}
    with outage.begin(cloud):
        # Another volume, because a running backup may occupy the first for the whole outage.
        refused = {name: alice.begin_backup(targets[name], f"{name}_meanwhile") for name in gone}
        for name in others:
            alice.await_backup(begun[name], "available")
        more = {name: alice.begin_backup(volumes[name], f"{name}_meanwhile") for name in others}
        for name, backup in refused.items():
            record = alice.await_backup(backup, "error")
            assert f"Backup backend {name} " in record["fail_reason"], record["fail_reason"]
            alice.await_volume(targets[name], "available")
        for backup in more.values():
            alice.await_backup(backup, "available")
        alice.restore_all([begun[name] for name in others], [targets[name] for name in others])
        for name in set(gone) - set(outage.waiting):
            # The running backup may have finished just before.
            alice.await_end(begun[name])
    whole = []
    for name in gone:
        if alice.await_end(begun[name])["status"] == "available":
            whole.append(begun[name])
        alice.await_volume(volumes[name], "available")
    again = [alice.begin_backup(volumes[name], f"{name}_after") for name in gone]
    for backup in again:
        alice.await_backup(backup, "available")
    restored = alice.restore_all([*again, *whole], [targets[name] for name in gone])
    onto = {*targets.values(), *restored}
    assert alice.digests(onto) == [digest] * len(onto)
    for volume in volumes.values():
        alice.delete_backups_of(volume)
    for name in gone:
        alice.delete_backups_of(targets[name])
