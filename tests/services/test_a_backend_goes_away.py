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
    gone, others, kind = outage.gone, outage.others, outage.kind
    content = (0, 200 * MIB, 51)
    names = (*gone, *others)
    volumes = {name: alice.volume(kind, content) for name in names}
    digest = alice.digest(volumes[names[0]])
    begun = {name: alice.begin_backup(volumes[name], f"{name}_before") for name in names}
    with outage.begin(cloud):
        for name in others:
            alice.await_backup(begun[name], "available")
        for name in gone:
            # What was under way may have been finished just before.
            alice.await_end(begun[name])
            record = alice.backup(volumes[name], f"{name}_meanwhile", status="error")
            assert f"Backup backend {name} " in record["fail_reason"], record["fail_reason"]
            alice.await_volume(volumes[name], "available")
        for name in others:
            alice.backup(volumes[name], f"{name}_meanwhile")
            assert alice.digest(alice.restore(begun[name])) == digest
    for name in gone:
        again = alice.backup(volumes[name], f"{name}_after")["id"]
        assert alice.digest(alice.restore(again)) == digest
    for volume in volumes.values():
        alice.delete_backups_of(volume)
