# SPDX-License-Identifier: Apache-2.0
"""What a project forges reaches nothing of another's: properties, names, parents and imports."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cinder import context as cinder_context
from cinder import exception

from tests.fixtures.backends.five_backends import make_room
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.hostile import FORBIDDEN, TEXTS
from tests.functional.datera_backup.conftest import (
    array,
    attachments,
    beginning,
    cloud,
    container,
    content,
    start_cloud,
)
from tests.functional.datera_volume.conftest import IQN

__all__ = ["array", "attachments", "beginning", "cloud", "container", "content", "start_cloud"]

MIB = 2**20
OTHERS = "a" * 32
Tally = Callable[[str, int], None]


@pytest.fixture
def victim(cloud: Any) -> Any:
    """A backup of the first project, with its volume."""
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, b"the victim's" * 50000)
    backup = cloud.create_backup(volume, "the victim's")
    assert backup.status == "available", backup.fail_reason
    return backup


def beginning_of(array: Any, backup: Any) -> bytes:
    with open(array.data_file(backup.container), "rb") as file:
        return bytes(file.read(8 * MIB))


def a_member(project: str = OTHERS) -> Any:
    return cinder_context.RequestContext(
        "somebody", project, is_admin=False, roles=["member"], overwrite=False
    )


def test_member_of_another_project_reaches_nothing_of_a_backup(cloud: Any, victim: Any) -> None:
    stranger = a_member()
    api = cloud.backups
    attempts: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
        (api.get, (victim.id,)),
        (api.restore, (victim.id, None)),
        (api.export_record, (victim.id,)),
        (api.create, ("stolen", "", victim.volume_id, None)),
        (cloud.volumes.get, (victim.volume_id,)),
    ]
    for attempt, arguments in attempts:
        with pytest.raises((exception.NotFound, exception.NotAuthorized)):
            attempt(stranger, *arguments)
    with pytest.raises(exception.NotAuthorized):
        api.delete(stranger, victim)
    assert cloud.backup(victim.id).status == "available"


def test_member_may_neither_export_nor_import_even_in_the_own_project(
    cloud: Any, victim: Any
) -> None:
    owner = a_member(cloud.context.project_id)
    with pytest.raises(exception.PolicyNotAuthorized):
        cloud.backups.export_record(owner, victim.id)
    record = cloud.export_backup(victim)
    with pytest.raises(exception.PolicyNotAuthorized):
        cloud.backups.import_record(owner, record["backup_service"], record["backup_url"])


def test_volume_that_changed_hands_builds_on_no_backup_of_its_former_project(
    cloud: Any, victim: Any, content: Any, array: Any
) -> None:
    volume = cloud.volume(victim.volume_id)
    volume.project_id = OTHERS
    volume.save()
    cloud.context.project_id = OTHERS
    with pytest.raises(exception.InvalidBackup, match="No backups available"):
        cloud.create_backup(volume, incremental=True)
    own = cloud.create_backup(volume)
    assert (own.parent_id, own.container == victim.container) == (None, False)
    assert len(array.names) == 2
    assert cloud.delete_backup(own) is None
    assert array.names == [victim.container]


def test_container_named_like_anothers_is_one_of_its_own(
    cloud: Any, victim: Any, content: Any, array: Any
) -> None:
    before = beginning_of(array, victim)
    cloud.context.project_id = OTHERS
    volume = cloud.create_volume(1)
    forged = f"x chain {victim.container.removeprefix('backup-')[:8]}"
    for wish in (victim.container, f"../{victim.container}", "backup-*", forged, *FORBIDDEN[1:]):
        backup = cloud.create_backup(volume, container=wish)
        assert backup.container != victim.container
        assert cloud.delete_backup(cloud.backup(backup.id)) is None, cloud.failures
        assert array.names == [victim.container]
    assert beginning_of(array, victim) == before


def test_no_forged_record_reaches_or_removes_anothers_backup(
    cloud: Any, victim: Any, content: Any, array: Any, tally: Tally
) -> None:
    record = cloud.export_backup(victim)
    sound = json.loads(base64.b64decode(record["backup_url"]))
    wanted = content(cloud.volume(victim.volume_id))
    forged = portion(list(forgeries(sound)), "forged records", small=8, brief=40)
    cloud.context.project_id = OTHERS
    taken = 0
    make_room(cloud, 2000, OTHERS)
    for number, (what, changed) in enumerate(forged):
        # One that Cinder cannot delete must not be in the way of the next.
        fields = {**changed, "id": str(uuid.UUID(int=number + 1))}
        url = base64.b64encode(json.dumps(fields).encode()).decode()
        try:
            made = cloud.backups.import_record(cloud.context, record["backup_service"], url)
        except (exception.CinderException, ValueError, TypeError, KeyError, AttributeError):
            continue  # Cinder's own API does not take it
        taken += 1
        imported = cloud.backup(made.id)
        # What Cinder itself cannot save stays as its API made it.
        assert imported.status in ("available", "error", "creating"), what
        assert "object has no" not in (imported.fail_reason or ""), (what, imported.fail_reason)
        if imported.status != "creating":
            cloud.delete_backup(imported)
        assert array.names == [victim.container], what
    restored = cloud.restore_backup(cloud.backup(victim.id))
    assert restored.status == "available", cloud.failures
    assert content(restored) == wanted
    tally("forged records", len(forged))
    tally("forged records that Cinder's API takes", taken)
    assert taken


def forgeries(sound: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The record with each of its places changed, by what was changed."""
    other = "11111111-2222-4333-8444-555555555555"
    values = [
        *TEXTS.values(), *FORBIDDEN, None, 0, -1, True, 1.5, 2**70, [], {}, ["x"], {"x": 1},
        f"backup-{other}", f"datera-container:/root/../other:{other}", "/root/../x", "/root/x",
        other, "z" * 100_000,
    ]  # fmt: skip
    made: list[tuple[str, dict[str, Any]]] = []
    for value in values:
        for place in ("container", "service_metadata", "service", "size", "volume_id", "parent_id"):
            made.append((f"{place}={value!r:.40}", {**sound, place: value}))
        for place in sound["driver_info"]:
            info = {**sound["driver_info"], place: value}
            made.append((f"driver_info.{place}={value!r:.40}", {**sound, "driver_info": info}))
        made.append((f"driver_info={value!r:.40}", {**sound, "driver_info": value}))
    return made


def test_container_lets_in_nobody_else_while_it_is_used_and_nobody_afterwards(
    attachments: Any, container: Any, array: Any
) -> None:
    from datera_emulator.rules.admission import LoginRefused
    from datera_emulator.target.login import PortalLogin

    target = attachments.find(container.name).storage_instance

    def logs_in(initiator: str) -> bool:
        now = attachments.find(container.name).storage_instance
        portal = f"{now.ips[0]}:3260" if now.ips else ""
        try:
            PortalLogin(portal, initiator=initiator, target=target.iqn, lun=0).end()
        except (LoginRefused, OSError):
            return False
        return True

    with attachments.opened(container.name):
        assert logs_in("iqn.1993-08.org.debian:01:testhost")
        for stranger in (IQN.format("stranger"), "", "iqn.1993-08.org.debian:01:testhos", "*"):
            assert not logs_in(stranger)
    assert not logs_in("iqn.1993-08.org.debian:01:testhost")
    assert array.initiators == []
