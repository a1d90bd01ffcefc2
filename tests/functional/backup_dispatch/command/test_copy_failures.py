# SPDX-License-Identifier: Apache-2.0
"""A copy that cannot be finished leaves nothing; one that was killed is finished or removed."""

from __future__ import annotations

import errno
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cinder import exception
from cinder.backup.drivers.posix import PosixBackupDriver

from backup_dispatch.jobs.copying.volume_file import BackupFile
from backup_dispatch.process import this_process
from datera_emulator import Emulator
from demo.waiting import until
from tests.fixtures.backends.five_backends import CLASSES, counted, switch_to, usage_of

Run = Callable[..., Any]
Patch = pytest.MonkeyPatch

MIB = 2**20


@pytest.fixture
def cloud(
    request: pytest.FixtureRequest, start_cinder: Callable[..., Any], shelf: Path
) -> Iterator[Any]:
    """A Cinder with posix, a second posix with a section, and Datera if the test has a cluster."""
    from datera_backup.storage.backend import forget_backends

    lines = [
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = posix, shelf",
    ]
    if "emulator" in request.fixturenames:
        lines[-1] += ", datera"
        lines.append(request.getfixturevalue("datera_options"))
    section = f"[shelf]\nbackup_driver = posix\nbackup_posix_path = {shelf}\n"
    yield start_cinder(defaults="\n".join(lines), sections=section)
    this_process().stop_checking()
    forget_backends()


@pytest.fixture
def source(cloud: Any) -> Any:
    """A backup on the shelf, of four objects."""
    volume = cloud.create_volume(1)
    for number in range(4):
        cloud.write(volume, 4 * number * MIB, b"%d" % number * MIB)
    return cloud.create_backup(volume, "shelf_1")


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def require_nothing_but(cloud: Any, *backups: Any, folder: Path) -> None:
    """No other record, nothing in the target's folder, and a quota that counts what there is."""
    found = {one.id for one in cloud.backups.get_all(cloud.context)}
    assert found == {one.id for one in backups}
    assert files_below(folder) == []
    assert usage_of(cloud) == counted(cloud)


def during(patch: Patch, happen: Callable[[], object], *, at: int = 2) -> None:
    """Let something happen once, while a copy reads its source for the second time."""
    read_into = BackupFile.read_into
    calls: list[int] = []

    def reading(file: BackupFile, offset: int, buffer: memoryview) -> Any:
        calls.append(offset)
        if len(calls) == at:
            happen()
        return read_into(file, offset, buffer)

    patch.setattr(BackupFile, "read_into", reading)


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


@pytest.mark.release
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


# Killed


class Killed(BaseException):
    """Nothing runs after it, as in a process that was killed."""


def killed(patch: Patch, run: Run, source: Any, *, at: int, **named: str) -> None:
    from backup_dispatch.jobs.copying.copier import Copier

    def die() -> None:
        raise Killed

    with patch.context() as inner:
        inner.setattr(Copier, "_undo", lambda *_arguments: None)
        during(inner, die, at=at)
        with pytest.raises(Killed):
            run("copy", source.id, "--to", named.get("to", "posix"))


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("target", ["posix", "datera"])
def test_a_killed_copy_is_removed_by_the_next_run(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, target: str
) -> None:
    killed(monkeypatch, run, source, at=3, to=target)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    assert (left.status, left.host) == ("creating", None)
    assert "Being copied by backup-dispatch on host testhost" in left.fail_reason
    assert usage_of(cloud) == counted(cloud)
    # The service starts again, and takes it for nobody's.
    cloud.restart_backup_manager()
    assert cloud.backup(left.id).status == "creating"
    assert run("copy", source.id, "--to", target, "--dry-run").code == 0
    assert cloud.backup(left.id).status == "creating"
    ended = run("copy", source.id, "--to", target, "-f", "json")
    assert (ended.code, ended.json[0]["Result"]) == (0, "copied")
    with pytest.raises(exception.BackupNotFound):
        cloud.backup(left.id)
    assert cloud.delete_backup(cloud.backup(ended.json[0]["Copy"])) is None
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_a_killed_copy_can_be_deleted_by_its_owner(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    killed(monkeypatch, run, source, at=3)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    switch_to(cloud, "posix")
    assert cloud.delete_backup(left, force=True) is None
    require_nothing_but(cloud, source, folder=cloud.directory / "posix")


@pytest.mark.faults
def test_another_hosts_copy_is_left_alone_where_locks_are_files(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    killed(monkeypatch, run, source, at=3)
    (left,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    left.fail_reason = "Being copied by backup-dispatch on host another"
    left.save()
    assert run("copy", source.id, "--to", "posix").code == 0
    assert cloud.backup(left.id).status == "creating"


def test_a_users_own_backup_that_is_being_made_is_left_alone(
    cloud: Any, source: Any, run: Run
) -> None:
    begun = cloud.create_backup(
        cloud.create_volume(1), "posix_1", properties={"copy_of": source.id}
    )
    # As the service has it, as the API leaves it until there is a host, as an import begins with a
    # record that a move has deleted, and as it leaves that when it fails.
    for status, host, service in (
        ("creating", "testhost", CLASSES["posix"]),
        ("creating", None, None),
        ("creating", None, CLASSES["posix"]),
        ("error", None, CLASSES["posix"]),
    ):
        begun.status, begun.host, begun.service = status, host, service
        begun.save()
        assert run("copy", source.id, "--to", "posix", "--verify", "none").code == 0
        assert cloud.backup(begun.id).status == status


@pytest.mark.faults
def test_after_ctrl_c_nothing_is_left(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch, emulator: Emulator
) -> None:
    def cancel() -> None:
        raise KeyboardInterrupt

    for target in ("posix", "datera"):
        with monkeypatch.context() as patch:
            during(patch, cancel)
            ended = run("copy", source.id, "--to", target)
        assert (ended.code, ended.out) == (130, "")
        require_nothing_but(cloud, source, folder=cloud.directory / "posix")
    assert not list(emulator.cluster.sessions)


def test_ctrl_c_right_after_the_end_leaves_a_sound_copy(
    cloud: Any, source: Any, run: Run, monkeypatch: Patch
) -> None:
    from backup_dispatch.jobs.copying import record

    finish = record.finish

    def finishing(copy: Any) -> bool:
        assert finish(copy)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(record, "finish", finishing)
        assert run("copy", source.id, "--to", "posix").code == 130
    (copy,) = (one for one in cloud.backups.get_all(cloud.context) if one.id != source.id)
    assert copy.status == "available"
    assert run("verify", copy.id).code == 0
    assert run("copy", source.id, "--to", "posix", "-f", "json").json[0]["Copy"] == copy.id
