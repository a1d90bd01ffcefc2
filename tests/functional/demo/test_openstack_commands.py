# SPDX-License-Identifier: Apache-2.0
"""Commands for volumes, typed into the real client, on a real Cinder with two clusters."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from datera_volume.connection import NewAppInstance, Tenant
from demo.servers.processes import Servers
from tests.fixtures import mounting
from tests.fixtures.datera.volume_cloud import OTHER
from tests.fixtures.dispatch_shell import DispatchShell
from tests.fixtures.openstack_shell import CommandFailed, OpenStackShell
from tests.fixtures.pages.typed import words_of
from tests.fixtures.pages.walk import steps_of
from tests.fixtures.volume_user import INITIATOR, User, login
from tests.functional.demo.walks import beginning, mending, operating
from tests.functional.demo.walks.stage import PagesCloud, Stage

pytestmark = pytest.mark.long

WALK = "docs/first-volumes.md"
BACKEND = "demo@datera#datera"
HERE = ("--property", "volume_backend_name=datera")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PagesCloud]:
    """One for all: what a test makes on it, it also takes away."""
    directory: Path = tmp_path_factory.mktemp("cloud")
    servers = Servers(directory / "log")
    try:
        started = PagesCloud(directory, servers)
        started.start()
        yield started
    finally:
        servers.stop()


@pytest.fixture(scope="module")
def user(cloud: PagesCloud) -> Iterator[User]:
    log = cloud.logs / "openstack.log"
    with OpenStackShell(cloud.clouds_yaml, "demo-admin", log) as shell:
        yield User(shell, cloud.connection("demo-admin").block_storage)


@pytest.fixture
def cluster(cloud: PagesCloud) -> Iterator[Tenant]:
    with cloud.administered(cloud.array) as tenant:
        yield tenant


def test_the_commands_of_the_walk_through_volumes_do_what_it_says(
    cloud: PagesCloud, user: User
) -> None:
    # A volume that another backend has, and whose type does not bind it there.
    user.type("volume", "type", "create", "anywhere")
    user.type("volume", "create", "--size", "1", "--type", "anywhere", "elsewhere")
    before = user.volumes()["elsewhere"]
    assert before.host == f"demo@{OTHER}#{OTHER}"
    contents = user.fill("elsewhere")

    typed = [one.words({}) for one in steps_of(WALK)]
    assert len(typed) >= 10
    retype = "openstack volume set --type gold --migration-policy never VOLUME"
    assert words_of(retype, VOLUME="copy") in typed
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
    cloud: PagesCloud, user: User
) -> None:
    user.type("volume", "type", "create", *HERE, "kept-thrice")
    user.type("volume", "type", "create", *HERE, "--property", "DF:replica_count=2", "kept-twice")
    user.type("volume", "create", "--size", "1", "--type", "kept-thrice", "thinner")
    # A type gets the backend of its volumes' backups before it has volumes.
    with pytest.raises(CommandFailed, match="currently in use"):
        user.type("volume", "type", "set", "--property", "backup:backend=ceph", "kept-thrice")
    made = "openstack volume type create --property backup:backend=ceph TYPE"
    user.type(*words_of(made, TYPE="backed-up-to-ceph"))
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
    shown = "openstack volume backend capability show HOST@BACKEND"
    told = user.read(*words_of(shown, HOST="demo", BACKEND="datera"))
    assert "DF:replica_count" in str(told)
    on_page = "openstack block storage volume manageable list POOL"
    listing = (*words_of(on_page, POOL=BACKEND), "--long")
    snapshots = ("block", "storage", "snapshot", "manageable", "list", BACKEND, "--long")

    reference = "found:storage-1:volume-1"
    (offered,) = user.read(*listing)
    assert offered["reference"] == {"source-name": reference}
    assert (offered["size"], offered["safe_to_manage"]) == (2, True)
    assert user.read(*snapshots) == []

    user.type("volume", "type", "create", *HERE, "--property", "DF:total_iops_max=150", "slow")
    manage = words_of(
        "openstack --os-volume-api-version 3.8 volume create --host POOL --non-bootable "
        "--remote-source source-name=REFERENCE NAME",
        POOL=BACKEND,
        REFERENCE=reference,
        NAME="managed",
    )
    user.type(*manage, "--type", "slow")
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
    on_page = (
        "openstack volume snapshot create --volume NAME --remote-source "
        "source-name=SNAPSHOT_ID SNAPSHOT"
    )
    user.type(*words_of(on_page, NAME="managed", SNAPSHOT_ID=moment.utc_ts, SNAPSHOT="monday"))
    (listed,) = user.read(*snapshots)
    assert listed["safe_to_manage"] is False
    assert [listed["cinder_id"]] == user.snapshots_of(managed)

    user.type(*words_of("openstack volume snapshot delete --remote SNAPSHOT", SNAPSHOT="monday"))
    assert user.snapshots_of(managed) == []
    user.type(*words_of("openstack volume delete --remote NAME", NAME="managed"))
    assert "managed" not in user.volumes()
    left = cluster.app_instance(found.id)
    assert left.name == f"UNMANAGED-{managed.id}"
    assert left.volume.uuid == found.volume.uuid
    assert [one.uuid for one in left.volume.snapshots] == [moment.uuid]
    cluster.delete_snapshot(left.volume, moment.uuid)
    cluster.delete_app_instance(left)


def test_a_group_is_snapshotted_at_one_moment_and_made_again_from_that(
    cloud: PagesCloud, user: User
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


@pytest.fixture(scope="module")
def operator(cloud: PagesCloud) -> Iterator[DispatchShell]:
    with DispatchShell(cloud.cinder_conf, cloud.logs / "backup-dispatch.log") as shell:
        yield shell


@pytest.fixture
def stage(
    cloud: PagesCloud, user: User, operator: DispatchShell, tmp_path: Path
) -> Iterator[Stage]:
    begun = Stage(cloud, user, operator, tmp_path)
    begun.begin()
    yield begun
    begun.clear()


def test_the_pages_of_those_who_begin_are_typed_in_their_order(stage: Stage) -> None:
    contents = stage.volume(beginning.VOLUME)
    beginning.first_walk(stage)
    beginning.first_backups(stage, contents)
    beginning.switching(stage, contents)
    beginning.another_cloud(stage, contents)


def test_the_pages_of_day_two_are_typed_in_their_order(stage: Stage) -> None:
    operating.backups_of_some_weeks(stage)
    for walk in (
        operating.retention,
        operating.looking,
        operating.upgrading,
        operating.verification,
        operating.monitoring,
        operating.copies,
        operating.reading_back,
        operating.owners,
    ):
        walk(stage)
    mending.troubleshooting(stage)


@pytest.mark.skipif(bool(mounting.why_not()), reason=mounting.why_not())
@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="this machine has no e2fsprogs")
def test_a_file_comes_back_as_the_page_about_mounting_says(stage: Stage) -> None:
    stage.volume(operating.VOLUME)
    operating.mounts(stage)
