# SPDX-License-Identifier: Apache-2.0
"""Chains of one volume on several backends, interleaved."""

from __future__ import annotations

import pytest

from tests.services.stack.cloud import Cloud
from tests.services.stack.project import MIB, Project

ROUNDS = ((5 * MIB, MIB, 12), (300 * MIB, MIB, 0), (1000 * MIB + 512, 2 * MIB, 13))
FIRST = ((0, 4 * MIB, 10), (300 * MIB, 2 * MIB, 11))


@pytest.mark.parametrize(
    ("kind", "backends"),
    [("array", ("datera", "swift", "s3")), ("rbd", ("datera", "swift", "ceph"))],
)
def test_incrementals_build_on_their_own_backend(
    kind: str, backends: tuple[str, ...], cloud: Cloud, alice: Project
) -> None:
    volume = alice.volume(kind, *FIRST)
    chains: dict[str, list[str]] = {name: [] for name in backends}
    digests: dict[str, str] = {}
    for number, name in enumerate(backends):
        if number:
            alice.write(volume, (number * 20 * MIB, MIB, 20 + number))
        full = alice.backup(volume, f"{name}_full")["id"]
        digests[full] = alice.digest(volume)
        chains[name].append(full)
    for number, change in enumerate(ROUNDS):
        alice.write(volume, change)
        name = backends[number % len(backends)]
        for builds in (name, backends[(number + 1) % len(backends)]):
            record = alice.backup(volume, f"{builds}_{number}", "--incremental")
            assert record["parent_id"] == chains[builds][-1], builds
            digests[record["id"]] = alice.digest(volume)
            chains[builds].append(record["id"])
    if "ceph" in backends:
        (image,) = [image for image in cloud.ceph.images("backups") if volume in image]
        kept = cloud.ceph.snapshots("backups", image)
        assert all(any(backup in name for name in kept) for backup in chains["ceph"])
    for name, chain in chains.items():
        assert len(chain) == 3, name
        assert alice.digest(alice.restore(chain[-1])) == digests[chain[-1]], name
        assert alice.digest(alice.restore(chain[1], volume)) == digests[chain[1]], name
        for backup in reversed(chain):
            alice.delete_backups(backup)
