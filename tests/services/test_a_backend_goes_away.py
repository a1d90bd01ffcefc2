# SPDX-License-Identifier: Apache-2.0
"""One backend goes away under load: the others go on, and it works again once it is back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.services.stack.cloud import Cloud
from tests.services.stack.project import MIB, Project


@dataclass(frozen=True)
class Outage:
    """What is away, and what comes of it.

    :ivar gone: the backends that it takes along.
    :ivar others: those that go on.
    :ivar kind: the volumes that are backed up.
    :ivar waiting: whose backup that is under way may wait for as long as its store is away.
    """

    begin: Callable[[Cloud], AbstractContextManager[None]]
    gone: tuple[str, ...]
    others: tuple[str, ...]
    kind: str
    waiting: tuple[str, ...] = ()


OUTAGES = {
    "swift": Outage(Cloud.swift_away, ("swift",), ("datera", "ceph", "s3"), "array"),
    # The gateway's store is the same Ceph. No time-out of rados reaches librbd's flush.
    "ceph": Outage(
        Cloud.ceph_away, ("ceph", "s3"), ("datera", "swift"), "array", waiting=("ceph",)
    ),
    "array": Outage(Cloud.array_away, ("datera",), ("ceph", "swift", "s3"), "rbd"),
}


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_the_others_go_on_and_it_comes_back(outage: Outage, cloud: Cloud, alice: Project) -> None:
    gone, others = outage.gone, outage.others
    names = (*gone, *others)
    content = ((0, 200 * MIB, 51),)
    made = alice.volumes(outage.kind, *(content for _ in names))
    volumes = dict(zip(names, made, strict=True))
    # Cinder would make them itself where it likes, on what is away too.
    targets = dict(zip(names, alice.volumes(outage.kind, *(() for _ in names)), strict=True))
    digest = alice.digest(made[0])
    begun = {name: alice.begin_backup(volumes[name], f"{name}_before") for name in names}
    with outage.begin(cloud):
        # Another volume, for what is under way may have the first one for as long as this lasts.
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
            # What was under way may have been finished just before.
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
