# SPDX-License-Identifier: Apache-2.0
"""Commands for volumes, typed into the real client, on a real Cinder with two clusters."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datera_volume.connection import NewAppInstance, Tenant
from demo.servers.processes import Servers
from tests.fixtures.datera.volume_cloud import OTHER, VolumeCloud
from tests.fixtures.openstack_shell import CommandFailed, OpenStackShell
from tests.fixtures.pages import PageCommand, commands_of
from tests.fixtures.pages.typed import OPENSTACK
from tests.fixtures.volume_user import INITIATOR, User, login

WALK = "docs/first-volumes.md"
BACKEND = "demo@datera#datera"
RESTORE_OVER = "openstack volume backup restore --force BACKUP VOLUME"
SHOW = "openstack volume backup show BACKUP"
SOONER = {
    "s3_full": "datera_full",
    "s3_monday": "datera_monday",
    "backup_backend=swift": "backup_backend=datera",
}
HERE = ("--property", "volume_backend_name=datera")


def words_of(text: str, **stand_for: str) -> list[str]:
    """What to type for one of these commands, as it stands on its page."""
    found = [one for one in commands_of("openstack") if one.text == text]
    assert found, f"no page has: {text}"
    assert text in OPENSTACK, text
    return found[0].words(stand_for)


def steps() -> list[PageCommand]:
    """The commands of the walk through volumes."""
    return [one for one in commands_of("openstack") if one.page == WALK and one.block]


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


def test_every_openstack_command_on_the_pages_is_typed_here() -> None:
    on_pages = {one.text for one in commands_of("openstack") if not one.why_not}
    on_pages -= {one.text for one in steps()}
    # The tests on real servers type what is said there of Cinder 29, and the list of pools, which
    # the scheduler cannot send within one process.
    on_pages -= {f"openstack volume backend pool list{more}" for more in ("", " --long")}
    on_pages.remove("openstack volume service set --disable --disable-reason TEXT")
    # The import once more, with a service that is spelt out.
    ceph = "openstack volume backup record import cinder.backup.drivers.ceph.CephBackupDriver"
    on_pages.remove(f"{ceph} METADATA")
    assert on_pages == OPENSTACK
    # What User.token_and_endpoint types is not spelt out here.
    spelt = OPENSTACK - {"openstack catalog list", "openstack token issue"}
    here = re.sub(r'"\n +"', "", Path(__file__).read_text())
    assert [one for one in spelt if one.removeprefix("openstack volume backup ") not in here] == []


def test_the_commands_of_the_walk_through_volumes_do_what_it_says(
    cloud: VolumeCloud, user: User
) -> None:
    # A volume that another backend has, and whose type does not bind it there.
    user.type("volume", "type", "create", "anywhere")
    user.type("volume", "create", "--size", "1", "--type", "anywhere", "elsewhere")
    before = user.volumes()["elsewhere"]
    assert before.host == f"demo@{OTHER}#{OTHER}"
    contents = user.fill("elsewhere")

    typed = [one.words({}) for one in steps()]
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
    cloud: VolumeCloud, user: User
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


def what_troubleshooting_says(user: User, type_in: Callable[..., None]) -> None:
    """Set states and properties, and delete, once all is there."""
    failed = words_of("openstack volume backup set --state error BACKUP", BACKUP="nightly")
    user.set_state(*failed, backup="nightly", state="error")
    mend = words_of("openstack volume backup set --state available BACKUP", BACKUP="nightly")
    user.set_state(*mend, backup="nightly", state="available")
    type_in("set --property backup_keep=2027-12-31 BACKUP", BACKUP="nightly")
    shown = user.read(*words_of(SHOW, BACKUP="nightly"))
    assert shown["status"] == "available"
    assert "2027-12-31" in str(shown)
    type_in("show BACKUP -c fail_reason -f value", BACKUP="nightly")
    user.read(
        *words_of(
            "openstack volume backend capability show HOST@BACKEND", HOST="demo", BACKEND="datera"
        )
    )
    type_in("delete --force BACKUP", BACKUP="datera_monday")
    for name in ("datera_full", "swift_nightly"):
        type_in("delete BACKUP", BACKUP=name)
    user.type(*words_of("openstack volume set --state available VOLUME", VOLUME="restored"))
    assert user.read(*words_of("openstack volume service list"))


def test_the_backup_commands_of_the_pages_do_what_they_say(cloud: VolumeCloud, user: User) -> None:
    user.type("volume", "type", "create", *HERE, "backed-up")
    user.type("volume", "create", "--size", "1", "--type", "backed-up", "origin")
    contents = user.fill("origin")

    def type_in(text: str, **stand_for: str) -> None:
        words = words_of(f"openstack volume backup {text}", VOLUME="origin", **stand_for)
        # The cloud has no S3, and a second backup in Swift would only take longer.
        user.type(*(SOONER.get(word, word) for word in words))

    type_in("create --name datera_nightly VOLUME")
    type_in("create --name swift_nightly VOLUME")
    type_in("create --name nightly VOLUME")
    assert [user.backend_of(one) for one in ("datera_nightly", "swift_nightly", "nightly")] == [
        "datera",
        "swift",
        "datera",
    ]
    type_in("restore BACKUP NEW_VOLUME", BACKUP="swift_nightly", NEW_VOLUME="restored")
    assert user.contents_of("restored") == contents
    user.fill("restored")
    user.type(*words_of(RESTORE_OVER, BACKUP="datera_nightly", VOLUME="restored"))
    assert user.contents_of("restored") == contents

    user.type("volume", "backup", "delete", "nightly")
    type_in("create --incremental --force --name nightly VOLUME")
    type_in("create --name s3_full VOLUME")
    type_in("create --incremental --name s3_monday VOLUME")
    type_in("create --property backup_backend=swift VOLUME")
    backups = user.backups()
    assert {one.name: one.is_incremental for one in backups.values()} == {
        "datera_nightly": False,
        "swift_nightly": False,
        "nightly": True,
        "datera_full": False,
        "datera_monday": True,
        None: False,
    }

    # As a cloud that has never heard of the backup: its record goes, its data stay.
    everyones = user.read(*words_of("openstack volume backup list --all-projects"))
    assert {one["ID"] for one in everyones} == {one.id for one in backups.values()}
    nightly = backups["nightly"].id
    export = words_of("openstack volume backup record export BACKUP -f value", BACKUP=nightly)
    service, metadata = user.lines(*export)
    cloud.forget_backup(nightly)
    imported = {"SERVICE": service, "METADATA": metadata}
    command = words_of("openstack volume backup record import SERVICE METADATA", **imported)
    # openstacksdk 4.22 posts to another address, and the page says what to type then.
    with pytest.raises(CommandFailed, match="backups/export_record, 404"):
        user.type(*command)
    (instead,) = commands_of("curl")
    token, endpoint = user.token_and_endpoint()
    user.post_as_curl(instead.words({**imported, "TOKEN": token, "ENDPOINT": endpoint}))
    user.type(*words_of(RESTORE_OVER, BACKUP="nightly", VOLUME="restored"))
    assert user.contents_of("restored") == contents

    what_troubleshooting_says(user, type_in)
    user.type("volume", "delete", "origin", "restored")
