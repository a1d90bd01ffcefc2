# SPDX-License-Identifier: Apache-2.0
"""A copy that cannot be finished leaves nothing."""

from __future__ import annotations

import errno
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cinder import exception
from cinder.backup.drivers.posix import PosixBackupDriver

from datera_emulator import Emulator
from demo.waiting import until
from tests.fixtures.backends.copying import (
    during,
    require_nothing_but,
)
from tests.fixtures.backends.five_backends import IN_ITS_OWN_THREADS, counted, usage_of

Run = Callable[..., Any]
Patch = pytest.MonkeyPatch

pytestmark = [IN_ITS_OWN_THREADS, pytest.mark.long]


# The source


@pytest.mark.usefixtures("emulator")
def test_a_damaged_source_fails_the_copy_with_the_finding(
    cloud: Any, source: Any, run: Run, shelf: Path
) -> None:
    (file,) = (shelf / source.container).glob("*-00002")
    file.write_bytes(file.read_bytes()[:-3] + b"xyz")
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert ended.code == 1
    (row,) = ended.json
    assert (row["Result"], row["Copy"]) == ("DAMAGED", None)
    assert f"Backup {source.id} is damaged: bytes " in row["Reason"]
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")
    ended = run("copy", source.id, "--to", "datera", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "DAMAGED")
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_a_source_without_its_metadata_is_damaged_too(
    cloud: Any, source: Any, run: Run, shelf: Path
) -> None:
    (file,) = (shelf / source.container).glob("*_metadata")
    file.unlink()
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "DAMAGED")
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.usefixtures("emulator")
@pytest.mark.faults
def test_a_source_that_does_not_answer_proves_nothing(
    cloud: Any, source: Any, run: Run, shelf: Path, monkeypatch: Patch
) -> None:
    during(monkeypatch, lambda: shelf.rename(cloud.directory / "away"))
    ended = run("copy", source.id, "--to", "datera", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (3, "not known")
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


def test_a_source_deleted_meanwhile_fails_the_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    during(monkeypatch, lambda: cloud.delete_backup(source))
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert f"backup {source.id} was deleted meanwhile" in ended.json[0]["Reason"]
    require_nothing_but(cloud, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_a_source_whose_deletion_begins_at_the_end_fails_the_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    def begin() -> None:
        source.status = "deleting"
        source.save()

    during(monkeypatch, begin, at=4)
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


# The target


class _Full(io.BytesIO):
    def write(self, _data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def fills_up(patch: Patch, *, objects: int) -> None:
    """The folder has room for so many objects of a backup."""
    writer = PosixBackupDriver.get_object_writer
    made: list[str] = []

    def get_object_writer(driver: Any, container: str, name: str, *more: Any, **named: Any) -> Any:
        made.append(name)
        if len(made) > objects:
            return _Full()
        return writer(driver, container, name, *more, **named)

    patch.setattr(PosixBackupDriver, "get_object_writer", get_object_writer)


@pytest.mark.parametrize("objects", [0, 4])
def test_a_target_without_room_has_no_half_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, objects: int
) -> None:
    with monkeypatch.context() as patch:
        fills_up(patch, objects=objects)
        ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert "No space left on device" in ended.json[0]["Reason"]
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_a_target_that_is_down_is_said_before_anything_is_written(
    cloud: Any, source: Any, run: Run, emulator: Emulator
) -> None:
    emulator.stop()
    ended = run("copy", source.id, "--to", "datera", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (3, "not known")
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


def test_a_copy_that_is_damaged_is_never_available(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying.copier import Copier

    verify = Copier.verify

    def verifying(copier: Copier, copy: Any, *more: Any) -> str:
        assert cloud.backup(copy.id).status == "creating"
        for file in (cloud.directory / "posix").rglob("*-00002"):
            file.write_bytes(b"something else")
        return verify(copier, copy, *more)

    monkeypatch.setattr(Copier, "verify", verifying)
    ended = run("copy", source.id, "--to", "posix", "--verify", "full", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert "is damaged: " in ended.json[0]["Reason"]
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


def test_a_quota_without_room_refuses_the_copy(cloud: Any, source: Any, run: Run) -> None:
    from cinder.db import api as db

    for resource, limit in (("backups", 1), ("backup_gigabytes", 1)):
        db.quota_create(cloud.context, cloud.context.project_id, resource, limit)
        ended = run("copy", source.id, "--to", "posix", "-f", "json")
        assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
        assert "allowed" in ended.json[0]["Reason"] or "quota" in ended.json[0]["Reason"]
        require_nothing_but(cloud, source, folder=cloud.directory / "posix")
        db.quota_destroy(cloud.context, cloud.context.project_id, resource)
    assert run("copy", source.id, "--to", "posix").code == 0


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("target", ["posix", "datera"])
@pytest.mark.faults
def test_a_copy_deleted_while_it_is_made_leaves_nothing(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, target: str
) -> None:
    deletions: list[threading.Thread] = []

    def delete() -> None:
        (copy,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
        assert copy.status == "creating"
        # It may wait for the driver that is writing.
        deletions.append(
            threading.Thread(target=cloud.delete_backup, args=(copy,), kwargs={"force": True})
        )
        deletions[0].start()
        until("its deletion begins", lambda: status_of(cloud, copy) != "creating", seconds=30)

    during(monkeypatch, delete)
    ended = run("copy", source.id, "--to", target, "-f", "json")
    deletions[0].join(30)
    assert not deletions[0].is_alive()
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert "was deleted while it was made" in ended.json[0]["Reason"]
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


def status_of(cloud: Any, backup: Any) -> str:
    try:
        return str(cloud.backup(backup.id).status)
    except exception.BackupNotFound:
        return "deleted"


@pytest.mark.faults
def test_the_copy_to_build_on_deleted_meanwhile_fails_the_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying import record

    volume = cloud.volume(source.volume_id)
    more = cloud.create_backup(volume, "shelf_2", incremental=True)
    parent = cloud.backup(run("copy", source.id, "--to", "posix", "-f", "json").json[0]["Copy"])
    begin = record.begin

    def beginning(*arguments: Any, **named: Any) -> Any:
        copy = begin(*arguments, **named)
        assert copy.parent_id == parent.id
        assert cloud.backup(parent.id).num_dependent_backups == 1
        parent.status = "deleting"
        parent.save()
        return copy

    monkeypatch.setattr(record, "begin", beginning)
    ended = run("copy", more.id, "--to", "posix", "--incremental", "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (1, "failed")
    assert (
        f"Copy {parent.id}, on which this one builds, is being deleted" in ended.json[0]["Reason"]
    )
    assert len(cloud.backups.get_all(cloud.context)) == 3
    assert cloud.backup(parent.id).num_dependent_backups == 0
    assert usage_of(cloud) == counted(cloud)


@pytest.mark.faults
def test_what_cannot_be_removed_is_said_and_removed_by_the_next_run(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    with monkeypatch.context() as patch:
        fills_up(patch, objects=2)

        def refuse(*_arguments: Any) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        patch.setattr(PosixBackupDriver, "delete_object", refuse)
        ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert ended.code == 1
    assert "Read-only file system" in ended.err
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    assert left.status == "error"
    assert "Read-only file system" in left.fail_reason
    assert usage_of(cloud) == counted(cloud)
    ended = run("copy", source.id, "--to", "posix", "-f", "json")
    assert ended.code == 0
    assert f"{left.id}, unfinished, of an earlier run, was removed" in ended.err
    copy = cloud.backup(ended.json[0]["Copy"])
    assert cloud.delete_backup(copy) is None
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


# Two at once


def test_a_second_run_to_the_same_backend_is_refused(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    second: list[Any] = []
    during(monkeypatch, lambda: second.append(run("copy", source.id, "--to", "posix")))
    assert run("copy", source.id, "--to", "posix").code == 0
    assert second[0].code == 1
    assert "is running: nothing was done" in second[0].err
    assert len(cloud.backups.get_all(cloud.context)) == 2
