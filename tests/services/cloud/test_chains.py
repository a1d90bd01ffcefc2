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
        digest = alice.digest(volume)
        name = backends[number % len(backends)]
        for builds in (name, backends[(number + 1) % len(backends)]):
            record = alice.backup(volume, f"{builds}_{number}", "--incremental")
            assert record["parent_id"] == chains[builds][-1], builds
            digests[record["id"]] = digest
            chains[builds].append(record["id"])
    if "ceph" in backends:
        (image,) = [image for image in cloud.ceph.images("backups") if volume in image]
        kept = cloud.ceph.snapshots("backups", image)
        assert all(any(backup in name for name in kept) for backup in chains["ceph"])
    assert {len(chain) for chain in chains.values()} == {3}
    # Each newest to a new volume, then the previous one over it.
    volumes: list[str] = []
    for place in (-1, -2):
        wanted = [chain[place] for chain in chains.values()]
        volumes = alice.restore_all(wanted, volumes)
        assert alice.digests(volumes) == [digests[backup] for backup in wanted], place
    for place in (-1, -2, -3):
        alice.delete_backups(*(chain[place] for chain in chains.values()))
