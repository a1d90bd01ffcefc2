# SPDX-License-Identifier: Apache-2.0
"""Commands for volumes, typed into the real client, on a real Cinder with two clusters."""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from datera_emulator.login import PortalLogin
from datera_volume.connection import NewAppInstance, Tenant
from demo.processes import PROJECT, Servers
from demo.waiting import until
from tests.fixtures.openstack_shell import OpenStackShell
from tests.fixtures.volume_cloud import OTHER, VolumeCloud

SECONDS = 60.0
SECTION = "## Volumes on the cluster, step by step"
BACKEND = "demo@datera#datera"
INITIATOR = "iqn.1993-08.org.debian:01:"
HERE = ("--property", "volume_backend_name=datera")
# Where a volume is written and read: the first GiB's beginning, somewhere inside, and its end.
CHUNK = 2**16
PLACES = (0, 2**29 + 2**12, 2**30 - CHUNK)
PASSING = {
    "creating",
    "deleting",
    "extending",
    "maintenance",
    "managing",
    "reserved",
    "retyping",
    "reverting",
    "unmanaging",
    "updating",
}


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

    def read(self, *words: str) -> Any:
        """Run a command that shows or lists something, and return what it prints."""
        return json.loads(self._shell.run(*words, "--format", "json"))

    def volumes(self) -> dict[str, Any]:
        """The volumes by their names."""
        return {one.name: one for one in self._storage.volumes(details=True)}

    def snapshots_of(self, volume: Any) -> list[str]:
        """The ids of a volume's snapshots."""
        return [one.id for one in self._storage.snapshots(volume_id=volume.id)]

    def members_of(self, group: str) -> list[Any]:
        """The volumes of a group, given by its name."""
        found = self._storage.find_group(group, ignore_missing=False)
        return [one for one in self._storage.volumes(details=True) if one.group_id == found.id]

    def is_refused_a_snapshot_of(self, group: str) -> None:
        """Ask for a group's snapshot, see that fail, and remove what Cinder keeps of it."""
        found = self._storage.find_group(group, ignore_missing=False)
        asked = self._storage.create_group_snapshot(group_id=found.id, name="torn")
        ended = until(
            f"an answer about {group}",
            lambda: {self._storage.get_group_snapshot(asked).status} & {"available", "error"},
            seconds=SECONDS,
        )
        assert ended == {"error"}
        self._storage.delete_group_snapshot(asked)
        until("none of it left", self._settled, seconds=SECONDS)

    def make_again(self, group_snapshot: str, name: str) -> None:
        """Make a group from a snapshot.

        The client's command and the SDK name a source group, too, without which Cinder would
        have to do, and Cinder refuses that.
        """
        source = self._storage.find_group_snapshot(group_snapshot, ignore_missing=False)
        wish = {"create-from-src": {"group_snapshot_id": source.id, "name": name}}
        answer = self._storage.post("/groups/action", json=wish, microversion="3.14")
        assert answer.status_code == 202, answer.text
        until(f"group {name}", self._settled, seconds=SECONDS)

    def attach(self, volume: Any, host: str, initiator: str) -> Any:
        """Attach a volume to a host, as Nova would, and return the attachment."""
        connector = {"host": host, "initiator": initiator, "ip": "127.0.0.1", "multipath": False}
        made = self._storage.create_attachment(volume.id, connector=connector, mode="rw")
        self._storage.complete_attachment(made)
        return made

    def rename(self, volume: Any, name: str) -> None:
        """Give a volume another name."""
        self._storage.update_volume(volume, name=name)

    def detach(self, attachment: Any) -> None:
        """Take an attachment away, as Nova would."""
        self._storage.delete_attachment(attachment)

    def fill(self, name: str) -> list[bytes]:
        """Write something new on the volume of this name, and return it."""
        written = [os.urandom(CHUNK) for _ in PLACES]
        with self._device_of(name) as device:
            for place, data in zip(PLACES, written, strict=True):
                os.pwrite(device, data, place)
        return written

    def contents_of(self, name: str) -> list[bytes]:
        """Read the same places of a volume."""
        with self._device_of(name) as device:
            return [os.pread(device, CHUNK, place) for place in PLACES]

    @contextmanager
    def _device_of(self, name: str) -> Iterator[int]:
        """Have the volume of this name attached inside; yields a descriptor of its device."""
        attachment = self.attach(self.volumes()[name], "here", INITIATOR + "here")
        try:
            session = login(attachment, INITIATOR + "here")
            descriptor = os.open(session.path, os.O_RDWR)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
                session.end()
        finally:
            self.detach(attachment)

    def _settled(self) -> bool:
        volumes = self.volumes().values()
        groups = (*self._storage.groups(), *self._storage.group_snapshots())
        states = {one.status for one in (*volumes, *self._storage.snapshots(), *groups)}
        assert not {state for state in states if state.startswith("error")}
        moving = [one for one in volumes if one.migration_status not in (None, "success")]
        return not moving and not states & PASSING


def login(attachment: Any, initiator: str) -> PortalLogin:
    """Log in at the target that an attachment leads to."""
    found = attachment.connection_info
    return PortalLogin(
        found["target_portal"],
        initiator=initiator,
        target=found["target_iqn"],
        lun=found["target_lun"],
    )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VolumeCloud]:
    """One for all: what a test makes on it, it also takes away."""
    directory: Path = tmp_path_factory.mktemp("cloud")
    servers = Servers(directory / "log")
    try:
        started = VolumeCloud(directory, servers)
        started.start()
        yield started
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def user(cloud: VolumeCloud) -> Iterator[User]:
    log = cloud.logs / "openstack.log"
    with OpenStackShell(cloud.clouds_yaml, "demo-admin", log) as shell:
        yield User(shell, cloud.connection("demo-admin").block_storage)


@pytest.fixture
def cluster(cloud: VolumeCloud) -> Iterator[Tenant]:
    with cloud.administered(cloud.array) as tenant:
        yield tenant


def test_the_commands_of_the_readme_do_what_it_says(cloud: VolumeCloud, user: User) -> None:
    # A volume that another backend has, and whose type does not bind it there.
    user.type("volume", "type", "create", "anywhere")
    user.type("volume", "create", "--size", "1", "--type", "anywhere", "elsewhere")
    before = user.volumes()["elsewhere"]
    assert before.host == f"demo@{OTHER}#{OTHER}"
    contents = user.fill("elsewhere")

    typed = commands()
    assert len(typed) >= 10
    monday: list[bytes] = []
    for words in typed:
        user.type(*words)
        if words[-1] == "second":
            monday = user.fill("second")
        elif words[-1] == "copy":
            user.fill("second")  # which the revert takes back

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
    assert user.contents_of("elsewhere") == contents, "moved with its data"
    for name in ("second", "as-on-monday", "copy"):
        assert user.contents_of(name) == monday, name
    user.type("volume", "delete", "--cascade", *volumes)


def test_a_volume_whose_new_type_asks_for_fewer_replicas_is_copied_on_the_same_cluster(
    cloud: VolumeCloud, user: User
) -> None:
    user.type("volume", "type", "create", *HERE, "kept-thrice")
    user.type("volume", "type", "create", *HERE, "--property", "DF:replica_count=2", "kept-twice")
    user.type("volume", "create", "--size", "1", "--type", "kept-thrice", "thinner")
    contents, before = user.fill("thinner"), user.volumes()["thinner"]

    user.type("volume", "set", "--type", "kept-twice", "--migration-policy", "on-demand", "thinner")

    after = user.volumes()["thinner"]
    assert (after.id, after.volume_type, after.host) == (before.id, "kept-twice", BACKEND)
    (kept,) = cloud.volumes_on(cloud.array).values()
    assert kept.replica_count == 2
    assert user.contents_of("thinner") == contents, "copied with its data"
    # It lies under another name now, and stays fully usable.
    user.type("volume", "set", "--size", "2", "thinner")
    user.type("volume", "snapshot", "create", "--volume", "thinner", "of-the-copy")
    user.type("volume", "snapshot", "delete", "of-the-copy")
    (kept,) = cloud.volumes_on(cloud.array).values()
    assert (kept.size_gib, kept.snapshots) == (2, ())
    user.type("volume", "delete", "thinner")
    assert cloud.volumes_on(cloud.array) == {}


def test_a_volume_and_its_snapshot_are_found_managed_and_given_back(
    user: User, cluster: Tenant
) -> None:
    found = cluster.create_app_instance(NewAppInstance("found", 2))
    moment = cluster.snapshot(found.volume, str(uuid.uuid4()))
    listing = ("block", "storage", "volume", "manageable", "list", BACKEND, "--long")
    snapshots = ("block", "storage", "snapshot", "manageable", "list", BACKEND, "--long")

    reference = "found:storage-1:volume-1"
    (offered,) = user.read(*listing)
    assert offered["reference"] == {"source-name": reference}
    assert (offered["size"], offered["safe_to_manage"]) == (2, True)
    assert user.read(*snapshots) == []

    user.type("volume", "type", "create", *HERE, "--property", "DF:total_iops_max=150", "slow")
    manage = ("--os-volume-api-version", "3.8", "volume", "create", "--host", BACKEND)
    source = ("--remote-source", f"source-name={reference}", "--non-bootable")
    user.type(*manage, *source, "--type", "slow", "managed")
    managed = user.volumes()["managed"]
    assert (managed.size, managed.host) == (2, BACKEND)
    on_cluster = cluster.app_instance(found.id)
    assert on_cluster.name == f"OS-{managed.id}"
    assert on_cluster.volume.limits["total_iops_max"] == 150
    (listed,) = user.read(*listing)
    assert (listed["safe_to_manage"], listed["cinder_id"]) == (False, managed.id)

    (offered,) = user.read(*snapshots)
    assert offered["reference"] == {"source-name": moment.utc_ts}
    assert (offered["size"], offered["safe_to_manage"]) == (2, True)
    source_of_snapshot = ("--remote-source", f"source-name={moment.utc_ts}")
    user.type("volume", "snapshot", "create", "--volume", "managed", *source_of_snapshot, "monday")
    (listed,) = user.read(*snapshots)
    assert listed["safe_to_manage"] is False
    assert [listed["cinder_id"]] == user.snapshots_of(managed)

    user.type("volume", "snapshot", "delete", "--remote", "monday")
    assert user.snapshots_of(managed) == []
    user.type("volume", "delete", "--remote", "managed")
    assert "managed" not in user.volumes()
    left = cluster.app_instance(found.id)
    assert left.name == f"UNMANAGED-{managed.id}"
    assert left.volume.uuid == found.volume.uuid
    assert [one.uuid for one in left.volume.snapshots] == [moment.uuid]
    cluster.delete_snapshot(left.volume, moment.uuid)
    cluster.delete_app_instance(left)


def test_a_group_is_snapshotted_at_one_moment_and_made_again_from_that(
    cloud: VolumeCloud, user: User
) -> None:
    user.type("volume", "type", "create", *HERE, "grouped")
    user.type("volume", "group", "type", "create", "consistent")
    consistent = ("--property", "consistent_group_snapshot_enabled=<is> True")
    user.type("volume", "group", "type", "set", *consistent, "consistent")
    types = ("--volume-group-type", "consistent", "--volume-type", "grouped")
    user.type("volume", "group", "create", *types, "--name", "pair")
    for name, size in (("data", "2"), ("journal", "1")):
        user.type("volume", "create", "--size", size, "--type", "grouped", name)
        user.type("volume", "group", "add", "volume", "pair", name)

    contents = {name: user.fill(name) for name in ("data", "journal")}
    writer = user.attach(user.volumes()["data"], "one", INITIATOR + "one")
    user.is_refused_a_snapshot_of("pair")
    assert not any(one.snapshots for one in cloud.volumes_on(cloud.array).values())
    user.detach(writer)

    user.type("volume", "group", "snapshot", "create", "--name", "moment", "pair")
    pair = user.members_of("pair")
    kept = cloud.volumes_on(cloud.array)
    for one in pair:
        assert [each.uuid for each in kept[one.id].snapshots] == user.snapshots_of(one)
        assert len(kept[one.id].snapshots) == 1

    for name in contents:
        user.fill(name)
    user.make_again("moment", "again")
    again = user.members_of("again")
    kept = cloud.volumes_on(cloud.array)
    assert sorted(kept[one.id].size_gib for one in again) == [1, 2]
    assert set(kept) == {one.id for one in (*pair, *again)}
    for one in again:
        taken_from = "data" if one.size == 2 else "journal"
        user.rename(one, f"{taken_from} again")
        assert user.contents_of(f"{taken_from} again") == contents[taken_from]

    user.type("volume", "group", "delete", "--force", "again")
    assert set(cloud.volumes_on(cloud.array)) == {one.id for one in pair}
    user.type("volume", "group", "snapshot", "delete", "moment")
    assert not any(one.snapshots for one in cloud.volumes_on(cloud.array).values())
    user.type("volume", "group", "delete", "--force", "pair")
    assert cloud.volumes_on(cloud.array) == {}


def test_one_of_two_hosts_that_share_a_volume_leaves_and_the_other_stays(
    user: User, cluster: Tenant
) -> None:
    user.type("volume", "type", "create", *HERE, "--multiattach", "shared")
    user.type("volume", "create", "--size", "1", "--type", "shared", "both")
    volume = user.volumes()["both"]
    hosts = {name: INITIATOR + name for name in ("one", "two")}

    attachments = {name: user.attach(volume, name, iqn) for name, iqn in hosts.items()}
    assert user.volumes()["both"].status == "in-use"
    name = f"OS-{volume.id}"
    assert set(cluster.app_instance(name).storage_instance.initiators) == set(hosts.values())
    sessions = {name: login(attachments[name], iqn) for name, iqn in hosts.items()}

    sessions["one"].end()
    user.detach(attachments["one"])
    assert user.volumes()["both"].status == "in-use"
    shared = cluster.app_instance(name)
    assert shared.storage_instance.initiators == (hosts["two"],)
    assert shared.online
    assert sessions["two"].alive()

    sessions["two"].end()
    user.detach(attachments["two"])
    left = cluster.app_instance(name)
    assert (left.storage_instance.initiators, left.online) == ((), False)
    user.type("volume", "delete", "both")
