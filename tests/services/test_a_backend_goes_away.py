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
    """What is away, the backends that it takes along, the others, and what is backed up."""

    begin: Callable[[Cloud], AbstractContextManager[None]]
    gone: tuple[str, ...]
    others: tuple[str, ...]
    kind: str


OUTAGES = {
    "swift": Outage(Cloud.swift_away, ("swift",), ("datera", "ceph", "s3"), "array"),
    # The gateway's store is the same Ceph.
    "ceph": Outage(Cloud.ceph_away, ("ceph", "s3"), ("datera", "swift"), "array"),
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
    targets = [alice.volume(outage.kind) for _ in names]
    digest = alice.digest(made[0])
    begun = {name: alice.begin_backup(volumes[name], f"{name}_before") for name in names}
    with outage.begin(cloud):
        for name in others:
            alice.await_backup(begun[name], "available")
        for name in gone:
            # What was under way may have been finished just before.
            alice.await_end(begun[name])
        then = {name: alice.begin_backup(volumes[name], f"{name}_meanwhile") for name in names}
        for name in gone:
            record = alice.await_backup(then[name], "error")
            assert f"Backup backend {name} " in record["fail_reason"], record["fail_reason"]
            alice.await_volume(volumes[name], "available")
        for name in others:
            alice.await_backup(then[name], "available")
        alice.restore_all([begun[name] for name in others], targets[: len(others)])
    again = [alice.begin_backup(volumes[name], f"{name}_after") for name in gone]
    for backup in again:
        alice.await_backup(backup, "available")
    alice.restore_all(again, targets[len(others) :])
    assert alice.digests(targets) == [digest] * len(names)
    for volume in made:
        alice.delete_backups_of(volume)
