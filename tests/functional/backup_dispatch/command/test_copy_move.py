# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch copy --move``: the source goes, and only after its copy was verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cinder import exception

from tests.fixtures.backends.five_backends import counted, switch_to, usage_of

pytestmark = pytest.mark.long

Run = Callable[..., Any]
Patch = pytest.MonkeyPatch

MIB = 2**20


@pytest.fixture
def cloud(start_dispatching: Callable[..., Any]) -> Any:
    """A Cinder whose backups go to posix and to the shelf."""
    return start_dispatching(secondaries="tests.fixtures.backends.shelf_driver")


def chain_of_three(cinder: Any, volume: Any) -> tuple[list[Any], list[bytes]]:
    made, contents = [], []
    for number in range(3):
        cinder.write(volume, number * MIB, b"%d" % number * MIB)
        made.append(cinder.create_backup(volume, "shelf_driver_n", incremental=number > 0))
        assert made[-1].status == "available", made[-1].fail_reason
        contents.append(cinder.read(volume, 0, 8 * MIB))
    return made, contents


def is_gone(cinder: Any, backup: Any) -> bool:
    try:
        cinder.backup(backup.id)
    except exception.BackupNotFound:
        return True
    return False


def shelved(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "shelf").rglob("*_backup_*") if path.is_file()]


def test_a_backend_is_left_for_good(cloud: Any, run: Run, tmp_path: Path) -> None:
    volumes = [cloud.create_volume(1) for _ in range(2)]
    chains = [chain_of_three(cloud, volume) for volume in volumes]
    arguments = ("copy", "--from", "shelf_driver", "--to", "posix", "--incremental", "--move")
    planned = run(*arguments, "--dry-run", "-f", "json")
    assert {row["Result"] for row in planned.json} == {"would be moved"}
    assert not any(is_gone(cloud, one) for made, _ in chains for one in made)
    ended = run(*arguments, "--yes", "-f", "json")
    assert ended.code == 0, ended.err
    copies = {row["Backup"]: cloud.backup(row["Copy"]) for row in ended.json}
    assert {row["Result"] for row in ended.json} == {"moved"}
    assert len(copies) == 6
    assert usage_of(cloud) == counted(cloud)
    assert shelved(tmp_path) == []
    switch_to(cloud, "posix")
    for made, contents in chains:
        for source, content in zip(made, contents, strict=True):
            assert is_gone(cloud, source)
            restored = cloud.restore_backup(copies[source.id])
            assert cloud.read(restored, 0, 8 * MIB) == content
        parents = [copies[source.id].parent_id for source in made]
        assert parents == [None, copies[made[0].id].id, copies[made[1].id].id]
        for source in reversed(made):
            assert cloud.delete_backup(copies[source.id]) is None
    assert usage_of(cloud) == counted(cloud)


def test_a_parent_is_not_moved_from_under_its_incrementals(cloud: Any, run: Run) -> None:
    made, _ = chain_of_three(cloud, cloud.create_volume(1))
    ended = run("copy", made[1].id, "--to", "posix", "--move", "--yes")
    assert ended.code == 1
    assert f"backup {made[2].id} builds on it." in ended.err
    assert len(cloud.backups.get_all(cloud.context)) == 3
    ended = run("copy", made[2].id, "--to", "posix", "--move", "--yes", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (0, "moved")
    assert is_gone(cloud, made[2])
    assert cloud.backup(made[1].id).num_dependent_backups == 0


@pytest.mark.faults
def test_an_incremental_begun_meanwhile_keeps_the_source(
    cloud: Any, run: Run, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying import record

    volume = cloud.create_volume(1)
    source = cloud.create_backup(volume, "shelf_driver_1")
    claim = record.claim_for_removal
    child: list[Any] = []

    def claiming(backup: Any, statuses: Any, **named: Any) -> bool:
        if not child:
            child.append(cloud.create_backup(volume, "shelf_driver_2", incremental=True))
        return claim(backup, statuses, **named)

    monkeypatch.setattr(record, "claim_for_removal", claiming)
    ended = run("copy", source.id, "--to", "posix", "--move", "--yes", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "copied, not moved")
    assert f"backup {child[0].id} builds on it" in ended.json[0]["Reason"]
    kept = cloud.backup(source.id)
    assert (kept.status, kept.host) == ("available", source.host)
    assert cloud.restore_backup(child[0]).status == "available"


def test_a_damaged_copy_keeps_the_source(cloud: Any, run: Run, tmp_path: Path) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, 0, b"data" * MIB)
    source = cloud.create_backup(volume, "shelf_driver_1")
    copy = cloud.backup(run("copy", source.id, "--to", "posix", "-f", "json").json[0]["Copy"])
    (file,) = (tmp_path / "posix" / copy.container).glob("*-00001")
    file.write_bytes(b"something else")
    ended = run("copy", source.id, "--to", "posix", "--move", "--yes", "-f", "json")
    assert ended.code == 1
    assert f"Copy {copy.id} is damaged" in ended.json[0]["Reason"]
    assert cloud.backup(source.id).status == "available"
    assert cloud.restore_backup(source).status == "available"


@pytest.mark.faults
def test_a_move_that_was_killed_goes_on(
    cloud: Any, run: Run, tmp_path: Path, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying import record

    class Killed(BaseException):
        pass

    def die(*_arguments: Any) -> None:
        raise Killed

    made, contents = chain_of_three(cloud, cloud.create_volume(1))
    arguments = ("copy", "--from", "shelf_driver", "--to", "posix", "--move", "--yes", "-f", "json")
    with monkeypatch.context() as patch:
        # After the copies, and after the newest source's status was set.
        patch.setattr(record, "remove", die)
        with pytest.raises(Killed):
            run(*arguments)
    assert [cloud.backup(one.id).status for one in made] == ["available", "available", "deleting"]
    ended = run(*arguments)
    assert ended.code == 0, ended.err
    assert f"{made[2].id}, unfinished, of an earlier run, was removed" in ended.err
    assert {row["Result"] for row in ended.json} == {"moved"}
    assert all(is_gone(cloud, one) for one in made)
    assert usage_of(cloud) == counted(cloud)
    assert shelved(tmp_path) == []
    copies = sorted(cloud.backups.get_all(cloud.context), key=lambda one: one.data_timestamp)
    for copy, content in zip(copies, contents, strict=True):
        assert cloud.read(cloud.restore_backup(copy), 0, 8 * MIB) == content


@pytest.mark.faults
def test_a_source_that_cannot_be_deleted_is_said_and_its_copy_stays(
    cloud: Any, run: Run, monkeypatch: Patch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    source = cloud.create_backup(cloud.create_volume(1), "shelf_driver_1")

    def refuse(*_arguments: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(ShelfBackupDriver, "delete_object", refuse)
    ended = run("copy", source.id, "--to", "posix", "--move", "--yes", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "copied, not moved")
    assert cloud.backup(source.id).status == "error"
    assert cloud.backup(ended.json[0]["Copy"]).status == "available"
    assert usage_of(cloud) == counted(cloud)


def test_move_asks_first(cloud: Any, run: Run) -> None:
    source = cloud.create_backup(cloud.create_volume(1), "shelf_driver_1")
    ended = run("copy", source.id, "--to", "posix", "--move", stdin="n\n", terminal=True)
    assert ended.code == 1
    assert "Nothing was copied" in ended.err
    assert len(cloud.backups.get_all(cloud.context)) == 1
    assert run("copy", source.id, "--to", "posix", "--move", stdin="y\n", terminal=True).code == 0
    assert is_gone(cloud, source)
