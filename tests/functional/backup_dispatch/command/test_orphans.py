# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch orphans``: only what no record names is found, and only one's own removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from datera_emulator import Emulator
from tests.fixtures.datera.emulated_client import INITIATOR

Run = Callable[..., Any]
RunJson = Callable[..., Any]

NOT_POSIX = "Not asked, because their drivers cannot list containers: posix.\n"


def names(emulator: Emulator) -> set[str]:
    return {ai.name for ai in emulator.cluster.app_instances.values()}


@pytest.fixture
def cinder(start_cinder: Callable[..., Any], datera_options: str) -> Iterator[Any]:
    """A Cinder whose backups go to Datera."""
    from datera_backup.storage.backend import forget_backends

    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = datera, posix",
        datera_options,
    )
    from backup_dispatch.process import this_process

    yield start_cinder(defaults="\n".join(lines))
    this_process().stop_checking()
    forget_backends()


@pytest.fixture
def backups(cinder: Any) -> list[Any]:
    """Two full backups, each in a container of its own, and an incremental of the second."""
    made = []
    for number in range(2):
        volume = cinder.create_volume(1)
        cinder.write(volume, 0, b"some" * 2**18)
        made.append(cinder.create_backup(volume, f"datera_{number}"))
    made.append(cinder.create_backup(volume, "datera_more", incremental=True))
    return made


def add_a_strangers(cinder: Any) -> str:
    """A container that another Cinder made; nothing on the cluster tells it from ours."""
    from datera_backup import naming
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.storage import containers

    name = naming.container_name(str(uuid4()))
    backend = DateraBackupDriver(cinder.context).backend
    description = naming.description(str(uuid4()), naming.chain_of_first(name), None)
    containers.create(backend, backend.tenant, name, 1, description)
    return name


def test_a_container_without_records_is_found_and_removed_and_nothing_else(
    cinder: Any, backups: list[Any], emulator: Emulator, run: Run, run_json: RunJson
) -> None:
    from cinder import coordination

    ended = run("orphans", "--delete")
    assert (ended.code, ended.out.strip()) == (0, "")
    assert ended.err == f"{NOT_POSIX}Every container on datera is named by a record.\n"
    assert run_json("orphans") == []
    lost, kept, _ = backups
    strange = add_a_strangers(cinder)
    lost.destroy()
    coordination.COORDINATOR.stop()  # as in a process that is no service
    found = {row["Container"]: row for row in run_json("orphans")}
    assert set(found) == {lost.container, strange}
    assert found[lost.container]["Backups"] == [lost.id]
    assert found[lost.container]["Left alone because"] == ""
    assert found[lost.container]["Created"]
    assert found[lost.container]["Tenant"] == "/root"
    assert found[strange]["Backups"] is None
    assert "no record, not even a deleted one" in found[strange]["Left alone because"]

    assert run("orphans", "--delete").code == 2
    assert run("orphans", "--yes").code == 2
    declined = run("orphans", "--delete", stdin="n\n", terminal=True)
    assert declined.code == 1
    assert f"  {lost.container}\n" in declined.err
    assert "Permanently delete 1 container? [y/N]" in declined.err
    assert names(emulator) == {lost.container, kept.container, strange}

    ended = run("orphans", "--delete", "--yes", "-f", "json")
    assert (ended.code, ended.err) == (0, f"{NOT_POSIX}{lost.container} was deleted.\n")
    assert [row["Container"] for row in ended.json] == [strange], "what is left"
    assert names(emulator) == {kept.container, strange}


def test_one_that_cannot_be_read_is_left_to_the_increments_of_what_was_in_it(
    cinder: Any, backups: list[Any], emulator: Emulator, run_json: RunJson
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import StillWanted

    _, first, second = backups
    driver = DateraBackupDriver(cinder.context)
    with driver.backend.attachments.opened(first.container, writable=True) as descriptor:
        for slot in (0, 2**21):
            os.pwrite(descriptor, b"damage", slot + 100)
    younger = cinder.create_backup(cinder.create_volume(1), "datera_younger")
    younger.parent_id = second.id
    younger.save()
    first.destroy()
    second.destroy()
    (found,) = run_json("orphans")
    assert (found["Container"], found["Backups"]) == (first.container, None)
    with pytest.raises(StillWanted, match=f"backup {younger.id} is an incremental"):
        driver.remove_orphan(first.container)
    # The chain goes on behind one whose record was deleted by hand.
    youngest = cinder.create_backup(cinder.create_volume(1), "datera_youngest")
    youngest.parent_id = younger.id
    youngest.save()
    younger.destroy()
    with pytest.raises(StillWanted, match=f"backup {youngest.id} is an incremental"):
        driver.remove_orphan(first.container)
    # And is known by its volume where the records between are purged.
    youngest.parent_id, youngest.volume_id = str(uuid4()), first.volume_id
    youngest.save()
    with pytest.raises(StillWanted, match=f"{youngest.id} is an incremental of the same volume"):
        driver.remove_orphan(first.container)
    assert first.container in names(emulator)


def test_everything_is_looked_at_again_right_before(
    cinder: Any, backups: list[Any], emulator: Emulator
) -> None:
    from datera_backup.driver import DateraBackupDriver
    from datera_backup.errors import ContainerBusy, StillWanted
    from datera_backup.storage.locks import writer_lock

    lost, parent, child = backups
    driver = DateraBackupDriver(cinder.context)
    strange = add_a_strangers(cinder)
    before = names(emulator)
    with pytest.raises(StillWanted, match=f"backup {lost.id} names it"):
        driver.remove_orphan(lost.container)
    with pytest.raises(StillWanted, match="not even a deleted one"):
        driver.remove_orphan(strange)
    parent.destroy()
    with pytest.raises(StillWanted, match=f"backup {child.id} names it"):
        driver.remove_orphan(parent.container)
    # As in a chain over several containers.
    child.container = f"backup-{child.id}"
    child.save()
    with pytest.raises(StillWanted, match=f"backup {child.id} is an incremental"):
        driver.remove_orphan(parent.container)
    lost.destroy()
    lock = writer_lock(lost.container)
    assert lock.try_acquire()
    try:
        with pytest.raises(ContainerBusy, match="is being written to"):
            driver.remove_orphan(lost.container)
    finally:
        lock.release()
    with (
        driver.backend.attachments.opened(lost.container),
        pytest.raises(ContainerBusy, match="is in use"),
    ):
        driver.remove_orphan(lost.container)
    assert names(emulator) == before
    driver.remove_orphan(lost.container)
    assert names(emulator) == before - {lost.container}


def test_the_backends_own_command_lists_the_same(
    cinder: Any, run_json: RunJson, tmp_path: Path
) -> None:
    strange = add_a_strangers(cinder)
    command = [sys.executable, "-m", "datera_emulator.with_connector", "datera-backup", "orphans"]
    done = subprocess.run(
        [*command, "-f", "json", "--config-file", str(tmp_path / "cinder.conf")],
        # This host need not have an initiator of its own.
        env={**os.environ, "DATERA_EMULATOR_INITIATOR": INITIATOR},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == NOT_POSIX, done.stderr
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert [row["Container"] for row in found] == [strange]
    assert found == run_json("orphans")


def test_orphans_of_one_backend_are_told_where_another_is_down(
    start_cinder: Callable[..., Any], datera_options: str, emulator: Emulator, run: Run
) -> None:
    from datera_backup.storage.backend import forget_backends

    cinder = start_cinder(
        defaults="backup_driver = backup_dispatch.driver.BackupDispatcher\n"
        f"enabled_backup_backends = datera, far\n{datera_options}",
        sections="[far]\nbackup_driver = datera\nbackup_datera_api_port = 1\n",
    )
    ended = run("orphans", "-f", "json")
    assert (ended.code, ended.json) == (3, [])
    assert "What is on far is not known: Backup backend far is down: " in ended.err
    assert "Every container on datera is named by a record.\n" in ended.err
    strange = add_a_strangers(cinder)
    ended = run("orphans", "-f", "json")
    assert ended.code == 3
    assert [(row["Backend"], row["Container"]) for row in ended.json] == [("datera", strange)]
    emulator.stop()
    ended = run("orphans", "-f", "json")
    forget_backends()
    assert (ended.code, ended.json) == (3, [])
    assert "What is on datera is not known: " in ended.err
    assert "Every container" not in ended.err
    assert "No backend could list its containers" in ended.err


def test_orphans_without_a_driver_that_can_tell_are_not_known(
    start_dispatching: Callable[..., Any], run: Run
) -> None:
    start_dispatching()
    ended = run("orphans")
    assert (ended.code, ended.out.strip()) == (3, "")
    assert (
        "Not asked, because their drivers cannot list containers: posix, shelf_driver.\n"
        in ended.err
    )
    assert "No backend could list its containers: it is not known what is there." in ended.err
