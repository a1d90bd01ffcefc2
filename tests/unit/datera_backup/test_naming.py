# SPDX-License-Identifier: Apache-2.0
"""Names on the cluster and in records."""

import re
from uuid import UUID, uuid4

import pytest

from datera_backup import naming
from datera_volume.connection import AppInstance

BACKUP = "6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"
VOLUME = "0f7a8a45-9b2b-44a0-8d6c-5d0ed6f8f5aa"
CHAIN = "0123456789ab"


def instance(name: str, descr: str) -> AppInstance:
    return AppInstance(id="1", name=name, path="/app_instances/1", tenant="/root", descr=descr)


def test_a_container_is_named_after_its_first_backup() -> None:
    name = naming.container_name(BACKUP)
    assert name == f"backup-{BACKUP}"
    assert naming.is_container_name(name)
    assert naming.container_id(name) == UUID(BACKUP)


@pytest.mark.parametrize(
    "name",
    [None, "", "nightly", "backup-", "backup-1", f"backup-{BACKUP}x", f"x-backup-{BACKUP}", BACKUP],
)
def test_other_names_are_not_containers(name: str | None) -> None:
    assert not naming.is_container_name(name)


@pytest.mark.parametrize("tenant", ["/root", "/root/backups", "/root/a:b/c d"])
def test_a_record_tells_the_tenant_and_what_the_container_calls_the_backup(tenant: str) -> None:
    text = naming.service_metadata(tenant, UUID(BACKUP))
    assert naming.read_service_metadata(text) == (tenant, UUID(BACKUP))


def test_a_tenant_for_which_a_record_has_no_room_is_refused() -> None:
    room = 255 - len(naming.service_metadata("/root/", UUID(BACKUP)))
    assert len(naming.service_metadata("/root/" + "x" * room, UUID(BACKUP))) == 255
    with pytest.raises(ValueError, match="2 characters too long"):
        naming.service_metadata("/root/" + "x" * (room + 2), UUID(BACKUP))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "volume_1/backup_2",
        BACKUP,
        f"datera-container:{BACKUP}",
        f"datera-container:/other:{BACKUP}",
        f"datera-container:/root/:{BACKUP}",
        f"datera-container:/root:{BACKUP}x",
    ],
)
def test_other_drivers_metadata_is_told_apart(text: str) -> None:
    assert naming.read_service_metadata(text) is None


@pytest.mark.parametrize(
    "label", [None, "nightly", "Ä/ö;ü\n'\"<&", "x" * 300, " ", "a" * 60 + " " * 60]
)
def test_a_description_is_one_that_the_cluster_takes(label: str | None) -> None:
    text = naming.description(VOLUME, CHAIN, label)
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9 _.-]{2,127}", text)
    assert text == text.strip()
    assert VOLUME in text


def test_the_users_name_for_a_container_is_in_the_description() -> None:
    assert naming.description(VOLUME, CHAIN, "weekly").endswith(" named weekly")


def test_the_containers_of_a_chain_are_known_by_their_descriptions() -> None:
    first = naming.container_name(str(uuid4()))
    chain = naming.chain_of_first(first)
    for label in (None, "weekly", f" of volume {VOLUME} chain ffffffffffff"):
        later = instance(
            naming.container_name(str(uuid4())), naming.description(VOLUME, chain, label)
        )
        assert naming.chain_in(later) == chain
    assert naming.chain_in(instance(first, naming.MARK)) == chain


def test_app_instance_is_ours_by_its_name_and_its_description() -> None:
    name = naming.container_name(str(uuid4()))
    assert naming.is_ours(instance(name, naming.description(VOLUME, CHAIN, None)))
    assert not naming.is_ours(instance(name, "Somebody's database"))
    assert not naming.is_ours(instance("OS-" + VOLUME, naming.description(VOLUME, CHAIN, None)))
