# SPDX-License-Identifier: Apache-2.0
"""The README's commands for volumes, typed as they stand there, on a real Cinder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.processes import PROJECT, Servers
from demo.waiting import until
from tests.fixtures.openstack_shell import OpenStackShell
from tests.fixtures.volume_cloud import OTHER, VolumeCloud

SECONDS = 60.0
SECTION = "## Volumes on the cluster, step by step"
PASSING = {"creating", "deleting", "retyping", "reverting", "reserved", "maintenance"}


def commands() -> list[list[str]]:
    """The section's commands."""
    section = (PROJECT / "README.md").read_text().split(f"\n{SECTION}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ")]
    return [shlex.split(line)[1:] for line in lines if line.split()[0] == "openstack"]


class User:
    """Types commands, waits for what they began, and looks at what became of it."""

    def __init__(self, shell: OpenStackShell, storage: Any) -> None:
        self._shell = shell
        self._storage = storage

    def type(self, *words: str) -> None:
        """Run a command and wait until nothing is on its way any more."""
        self._shell.run(*words)
        until(" ".join(words), self._settled, seconds=SECONDS)

    def volumes(self) -> dict[str, Any]:
        """The volumes by their names."""
        return {one.name: one for one in self._storage.volumes(details=True)}

    def _settled(self) -> bool:
        volumes = self.volumes().values()
        states = {one.status for one in (*volumes, *self._storage.snapshots())}
        assert not {state for state in states if state.startswith("error")}
        moving = [one for one in volumes if one.migration_status not in (None, "success")]
        return not moving and not states & PASSING


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[VolumeCloud]:
    servers = Servers(tmp_path / "log")
    try:
        started = VolumeCloud(tmp_path, servers)
        started.start()
        yield started
    finally:
        servers.stop()


@pytest.fixture
def user(cloud: VolumeCloud) -> Iterator[User]:
    log = cloud.logs / "openstack.log"
    with OpenStackShell(cloud.clouds_yaml, "demo-admin", log) as shell:
        yield User(shell, cloud.connection("demo-admin").block_storage)


def test_the_commands_of_the_readme_do_what_it_says(cloud: VolumeCloud, user: User) -> None:
    # A volume that another backend has, and whose type does not bind it there.
    user.type("volume", "type", "create", "anywhere")
    user.type("volume", "create", "--size", "1", "--type", "anywhere", "elsewhere")
    before = user.volumes()["elsewhere"]
    assert before.host == f"demo@{OTHER}#{OTHER}"

    typed = commands()
    assert len(typed) >= 10
    for words in typed:
        user.type(*words)

    volumes = user.volumes()
    assert set(volumes) == {"second", "as-on-monday", "copy", "elsewhere"}
    kept = cloud.volumes_on(cloud.array)
    assert set(kept) == {one.id for one in volumes.values()}
    assert cloud.volumes_on(cloud.other) == {}
    for name in ("second", "as-on-monday"):
        assert kept[volumes[name].id].replica_count == 2
    copy = kept[volumes["copy"].id]
    assert (copy.size_gib, copy.replica_count, copy.limits["total_iops_max"]) == (2, 3, 200)
    assert volumes["copy"].volume_type == "gold"
    assert volumes["elsewhere"].id == before.id
    assert volumes["elsewhere"].host == "demo@datera#datera"
