# SPDX-License-Identifier: Apache-2.0
"""Names of volumes, snapshots, types and projects mean nothing to the cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.fixtures.backends.contract_backends import datera_options
from tests.fixtures.backends.five_backends import make_room
from tests.fixtures.datera.emulated_client import INITIATOR
from tests.fixtures.faults.extent import portion
from tests.fixtures.faults.hostile import MARK, TEXTS
from tests.functional.datera_volume.conftest import (
    backend,
    emulator,
    start_datera,
    start_emulator,
)

__all__ = ["backend", "emulator", "start_datera", "start_emulator"]

ROOM = 255
"""Characters that Cinder's records have room for."""
Tally = Callable[[str, int], None]


@pytest.fixture
def cinder(start_datera: Callable[..., Any], emulator: Emulator) -> Iterator[Any]:
    from datera_backup.storage.backend import forget_backends

    brick.install(INITIATOR)
    started = start_datera(
        "datera_tenant_id = Map\n",
        defaults=f"backup_driver = datera_backup.driver.DateraBackupDriver\n"
        f"{datera_options(emulator)}\n",
    )
    make_room(started, 1000)
    yield started
    forget_backends()
    brick.uninstall()


def on_the_cluster(emulator: Emulator) -> str:
    """All that the cluster keeps, but the properties that are written there for its operators."""
    cluster = emulator.cluster
    with cluster.lock:
        instances = [{**asdict(one), "metadata": {}} for one in cluster.app_instances.values()]
        return json.dumps([instances, list(cluster.tenants)], default=str, ensure_ascii=False)


def test_names_of_what_users_own_are_no_names_on_the_cluster(
    cinder: Any, emulator: Emulator, tally: Tally
) -> None:
    tried = portion(sorted(TEXTS.items()), "hostile volumes", small=4, brief=12)
    for what, text in tried:
        name = f"{MARK}{text}"[:ROOM]
        kind = cinder.create_volume_type(name, {})
        volume = cinder.create_volume(1, name=name, volume_type=kind)
        snapshot = cinder.create_snapshot(volume, name=name)
        copy = cinder.create_volume(1, name=name, volume_type=kind, snapshot=snapshot)
        assert (volume.status, snapshot.status, copy.status) == ("available",) * 3, what
        backup = cinder.create_backup(volume, name, properties={name: name})
        assert backup.status == "available", (what, backup.fail_reason)
        restored = cinder.restore_backup(backup)
        assert restored.status == "available", what
        assert MARK not in on_the_cluster(emulator), what
        cinder.volumes.delete_snapshot(cinder.context, snapshot)
        assert cinder.delete_backup(backup) is None
        for one in (volume, copy, restored):
            cinder.delete_volume(one)
    assert not emulator.cluster.app_instances
    assert not list(Path("/tmp").glob(f"*{MARK}*"))
    tally("hostile names of volumes", len(tried))


def test_no_name_of_a_project_leads_into_the_tenant_of_another(
    cinder: Any, emulator: Emulator, tally: Tally
) -> None:
    """Keystone's are hexadecimal; of another service's nothing is known."""
    theirs = cinder.create_volume(1)
    (home,) = {one.tenant for one in emulator.cluster.app_instances.values()}
    projects = dict(TEXTS) | {
        "path to another's": f"x/../{home.rpartition('/')[2]}",
        "path of another's": home,
        "path below another's": f"{cinder.context.project_id}/x",
        "another's in capitals": cinder.context.project_id.upper(),
    }
    own = cinder.context.project_id
    tried = portion(sorted(projects.items()), "hostile projects", small=4, brief=len(projects))
    used = {home}
    for what, project in tried:
        cinder.context.project_id = project[:ROOM]
        try:
            volume = cinder.create_volume(1)
        finally:
            cinder.context.project_id = own
        with emulator.cluster.lock:
            instances = list(emulator.cluster.app_instances.values())
        made = [one for one in instances if volume.id in one.name]
        if volume.status == "error":
            assert made == [], what
        else:
            (instance,) = made
            assert instance.tenant not in used, (what, instance.tenant)
            assert instance.tenant.rpartition("/")[0] == "/root", (what, instance.tenant)
            used.add(instance.tenant)
        volume.destroy()
    assert cinder.volume(theirs.id).status == "available"
    tally("hostile projects", len(tried))
