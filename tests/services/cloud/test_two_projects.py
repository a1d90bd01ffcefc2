# SPDX-License-Identifier: Apache-2.0
"""Two projects: neither can access the other's backups, nor their containers."""

from __future__ import annotations

import pytest

from tests.services.stack.array_view import instances
from tests.services.stack.client import CommandFailed
from tests.services.stack.cloud import Cloud
from tests.services.stack.people import ADMIN
from tests.services.stack.project import MIB, Project

FORBIDDEN = 403
NAMES = ("datera_mine", "swift_mine", "ceph_mine", "s3_mine")


def test_no_project_sees_restores_or_deletes_the_other_s_backups(
    cloud: Cloud, alice: Project, bob: Project
) -> None:
    volume = alice.volume("array", (0, 2 * MIB, 61))
    backups = {name: alice.backup(volume, name)["id"] for name in NAMES}
    theirs = bob.volume("array", (0, 2 * MIB, 62))
    own = bob.backup(theirs, "datera_mine")["id"]
    seen = {entry["ID"] for entry in bob.do("volume", "backup", "list")}
    assert seen == {own}
    for backup in backups.values():
        for command in ("show", "delete"):
            with pytest.raises(CommandFailed):
                bob.do("volume", "backup", command, backup)
        with pytest.raises(CommandFailed):
            bob.begin_restore(backup)
        with pytest.raises(CommandFailed):
            bob.do("volume", "backup", "record", "export", backup)
        assert alice.record(backup)["status"] == "available"
    assert bob.answer_to_an_import("datera_backup.driver", "e30=") == FORBIDDEN
    with pytest.raises(CommandFailed):
        bob.do("volume", "backup", "create", "--name", "datera_taken", volume)

    # A container of the same name is separate: nothing is shared by it.
    container = alice.record(backups["datera_mine"])["container"]
    named = bob.backup(theirs, "datera_named", "--container", container)
    assert named["container"] != container

    digest = alice.digest(volume)
    for backup in (own, named["id"]):
        bob.delete_backups(backup)
    for backup in backups.values():
        assert alice.digest(alice.restore(backup)) == digest
        alice.delete_backups(backup)


def test_each_projects_volumes_lie_in_a_tenant_of_its_own(
    cloud: Cloud, alice: Project, bob: Project
) -> None:
    volumes = {person: person.volume("array") for person in (alice, bob)}
    tenants = {
        person: {one.tenant for one in instances(cloud.array) if volume in one.name}
        for person, volume in volumes.items()
    }
    assert tenants[alice] != tenants[bob]
    for person, found in tenants.items():
        (tenant,) = found
        assert person.project_id.replace("-", "") in tenant.replace("-", "")


def test_an_administrator_sees_the_pools_of_both_volume_backends(cloud: Cloud) -> None:
    pools = cloud.client(ADMIN)("volume", "backend", "pool", "list")
    assert {one["Name"].partition("@")[2] for one in pools} == {"array#array", "rbd#rbd"}
    told = cloud.client(ADMIN)("volume", "backend", "pool", "list", "--long")
    (array,) = [one["Capabilities"] for one in told if one["Name"].endswith("#array")]
    assert (array["backend_state"], array["online_extend_support"]) == ("up", True)
