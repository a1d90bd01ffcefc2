# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch copy``: what a copy is, and that Cinder alone restores it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from backup_dispatch.process import this_process
from datera_emulator import Emulator
from tests.fixtures.backends.five_backends import (
    CLASSES,
    IN_ITS_OWN_THREADS,
    TARGETS,
    counted,
    make_room,
    switch_to,
    usage_of,
)
from tests.fixtures.backends.s3_service import S3Endpoint
from tests.fixtures.backends.swift_service import SwiftService

pytestmark = pytest.mark.long

Run = Callable[..., Any]
RunJson = Callable[..., Any]

MIB = 2**20
BACKENDS = ("datera", "posix", "swift", "s3")
FILES = "tests.fixtures.cinder.file_volume"


@pytest.fixture
def cloud(
    start_cinder: Callable[..., Any], datera_options: str, swift: SwiftService, moto: S3Endpoint
) -> Iterator[Any]:
    """A Cinder whose backups go to Datera, posix, Swift and S3, each without a section."""
    from datera_backup.storage.backend import forget_backends

    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        f"enabled_backup_backends = {', '.join(BACKENDS)}",
        datera_options,
        swift.cinder_options(),
        moto.cinder_options(),
    )
    yield start_cinder(defaults="\n".join(lines))
    this_process().stop_checking()
    forget_backends()


def chain_on(cinder: Any, volume: Any, backend: str) -> list[Any]:
    """A full backup and an incremental, in which data and zeros lie over data."""
    made = []
    for number, (offset, data) in enumerate(((MIB, b"first" * 700_000), (2 * MIB, bytes(MIB)))):
        cinder.write(volume, offset, data)
        cinder.write(volume, (5 + number) * MIB, f"{backend} {number}".encode() * 9000)
        made.append(cinder.create_backup(volume, f"{backend}_{number}", incremental=number > 0))
        assert made[-1].status == "available", made[-1].fail_reason
    return made


@pytest.mark.release
def test_copies_of_every_pair_restore_by_cinder_on_the_targets_driver(cloud: Any, run: Run) -> None:
    make_room(cloud, 30)
    sources: dict[str, Any] = {}
    volumes = {}
    for backend in BACKENDS:
        volumes[backend] = cloud.create_volume(1, name=f"of {backend}")
        sources[backend] = chain_on(cloud, volumes[backend], backend)[-1]
    copies: dict[str, list[tuple[str, Any]]] = {backend: [] for backend in BACKENDS}
    for source in BACKENDS:
        for target in set(TARGETS) - {source}:
            ended = run("copy", sources[source].id, "--to", target, "-f", "json")
            assert ended.code == 0, ended.err
            (row,) = ended.json
            assert row["Result"] == "copied"
            copies[target].append((source, cloud.backup(row["Copy"])))
    assert usage_of(cloud) == counted(cloud)
    for target in TARGETS:
        switch_to(cloud, target)
        for source, copy in copies[target]:
            assert (copy.service, copy.status) == (CLASSES[target], "available")
            restored = cloud.restore_backup(copy)
            assert restored.status == "available", (source, target, cloud.failures)
            assert restored.display_name == f"of {source}"
            assert cloud.first_difference(restored, volumes[source]) is None, (source, target)
            cloud.delete_volume(restored)
            assert cloud.delete_backup(copy) is None
    assert usage_of(cloud) == counted(cloud)


def test_a_copy_is_a_backup_of_the_same_volume_project_and_time(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    source = cloud.create_backup(volume, "datera_1", properties={"mine": "yes", "backup_x": "1"})
    ended = run("copy", "datera_1", "--to", "swift", "-f", "json")
    assert ended.code == 0, ended.err
    copy = cloud.backup(ended.json[0]["Copy"])
    for name in ("volume_id", "project_id", "user_id", "display_name", "data_timestamp", "size"):
        assert getattr(copy, name) == getattr(source, name), name
    assert copy.metadata == {"mine": "yes", "backup_backend": "swift", "copy_of": source.id}
    assert (copy.service, copy.host) == (CLASSES["swift"], source.host)
    assert (copy.parent_id, copy.fail_reason or None) == (None, None)
    assert run("verify", copy.id).code == 0
    assert run("show", copy.id, "-f", "json").json["backend"] == "swift"


def test_what_has_a_copy_is_left_out_and_the_rest_is_copied(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    full, more = chain_on(cloud, volume, "datera")
    other = cloud.create_backup(volume, "posix_1")
    assert run("copy", full.id, "--to", "s3").code == 0
    ended = run("copy", "--from", "datera", "--to", "s3", "-f", "json")
    assert ended.code == 0, ended.err
    assert [(row["Backup"], row["Result"]) for row in ended.json] == [
        (full.id, "copied before"),
        (more.id, "copied"),
    ]
    again = run("copy", "--from", "datera", "--to", "s3", "-f", "json")
    assert {row["Result"] for row in again.json} == {"copied before"}
    # Not back to where it came from.
    back = run("copy", "--from", "s3", "--to", "datera", "-f", "json")
    assert (back.code, back.json) == (0, [])
    assert other.id not in str(ended.json)


@IN_ITS_OWN_THREADS
def test_an_incremental_copy_builds_on_the_copy_before_it(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    contents = []
    made = []
    for number in range(3):
        cloud.write(volume, number * MIB, b"%d" % number * 500_000)
        contents.append(cloud.read(volume, 0, 8 * MIB))
        made.append(cloud.create_backup(volume, "posix_n", incremental=number > 0))
    arguments = ("copy", "--from", "posix", "--to", "datera", "--incremental", "-f", "json")
    planned = run(*arguments, "--dry-run").json
    assert [row["Builds on"] for row in planned] == [
        None,
        "the copy before it",
        "the copy before it",
    ]
    assert len(cloud.backups.get_all(cloud.context)) == 3
    # The newest first: what is older must not build on it.
    assert run("copy", made[2].id, "--to", "datera", "--incremental").code == 0
    rows = run(*arguments).json
    copies = [cloud.backup(row["Copy"]) for row in rows]
    assert [one.parent_id for one in copies] == [None, copies[0].id, None]
    assert cloud.backup(copies[0].id).num_dependent_backups == 1
    switch_to(cloud, "datera")
    for copy, content in zip(copies, contents, strict=True):
        assert cloud.read(cloud.restore_backup(copy), 0, 8 * MIB) == content
    assert cloud.delete_backup(copies[1]) is None
    assert cloud.backup(copies[0].id).num_dependent_backups == 0
    assert usage_of(cloud) == counted(cloud)


@IN_ITS_OWN_THREADS
def test_a_copy_knows_the_volume_as_it_was(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1, name="then")
    cloud.write(volume, 0, b"then" * 1000)
    content = cloud.read(volume, 0, 8 * MIB)
    sources = [cloud.create_backup(volume, f"{name}_1") for name in ("datera", "posix")]
    volume.display_name, volume.size = "now", 5
    volume.save()
    copies = [
        run("copy", source.id, "--to", target, "-f", "json").json[0]["Copy"]
        for source, target in zip(sources, ("posix", "datera"), strict=True)
    ]
    volume.size = 1
    volume.save()
    cloud.delete_volume(volume)
    copies += [run("copy", sources[0].id, "--to", "s3", "-f", "json").json[0]["Copy"]]
    for copy, target in zip(copies, ("posix", "datera", "s3"), strict=True):
        switch_to(cloud, target)
        restored = cloud.restore_backup(cloud.backup(copy))
        assert (restored.status, restored.display_name, restored.size) == ("available", "then", 1)
        assert cloud.read(restored, 0, 8 * MIB) == content


def test_copies_of_another_owner_count_in_that_project(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    source = cloud.create_backup(volume, "posix_1")
    before = usage_of(cloud)
    operators = "a" * 32
    ended = run("copy", source.id, "--to", "swift", "--owner", operators, "-f", "json")
    assert ended.code == 0, ended.err
    copy = cloud.backup(ended.json[0]["Copy"])
    assert copy.project_id == operators
    assert usage_of(cloud) == before
    assert usage_of(cloud, operators) == counted(cloud, operators)
    assert usage_of(cloud, operators)["backups"] == (1, 0)


@IN_ITS_OWN_THREADS
def test_the_copy_of_a_snapshots_backup_restores(cloud: Any, run: Run) -> None:
    volume = cloud.create_volume(1)
    cloud.write(volume, MIB, b"in the snapshot" * 1000)
    content = cloud.read(volume, 0, 8 * MIB)
    snapshot = cloud.create_snapshot(volume)
    cloud.write(volume, MIB, b"after it" * 1000)
    source = cloud.create_backup(volume, "posix_1", snapshot=snapshot)
    assert source.status == "available", cloud.failures
    ended = run("copy", source.id, "--to", "datera", "-f", "json")
    assert ended.code == 0, ended.err
    copy = cloud.backup(ended.json[0]["Copy"])
    assert (copy.snapshot_id, copy.data_timestamp) == (snapshot.id, source.data_timestamp)
    switch_to(cloud, "datera")
    assert cloud.read(cloud.restore_backup(copy), 0, 8 * MIB) == content


@IN_ITS_OWN_THREADS
def test_holes_of_the_source_are_not_read(
    cloud: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.jobs.copying.volume_file import BackupFile

    volume = cloud.create_volume(1)
    cloud.write(volume, 4 * MIB, b"data" * 1000)
    source = cloud.create_backup(volume, "posix_1")
    read: list[int] = []
    read_into = BackupFile.read_into

    def noting(file: BackupFile, offset: int, buffer: memoryview) -> Any:
        read.append(len(buffer))
        return read_into(file, offset, buffer)

    monkeypatch.setattr(BackupFile, "read_into", noting)
    assert run("copy", source.id, "--to", "datera").code == 0
    assert 0 < sum(read) <= MIB


BAD = (
    (("BACKUP", "--to", "gone"), "There is no backend gone"),
    (("BACKUP", "--to", "posix"), "is on backend posix already"),
    (("nothing", "--to", "s3"), "There is no backup"),
    (("--to", "s3"), "Name either one BACKUP"),
    (("BACKUP", "--from", "posix", "--to", "s3"), "Name either one BACKUP"),
    (("--from", "posix", "--to", "posix"), "are both posix"),
    (("--from", "gone", "--to", "posix"), "There is no backend gone"),
    (("BACKUP", "--to", "s3", "--newer-than", "7d"), "add --from BACKEND"),
    (("--from", "posix", "--to", "s3", "--newer-than", "7x"), "is no age"),
    (("BACKUP", "--to", "s3", "--move", "--verify", "none"), "leave out --verify none"),
    (("BACKUP", "--to", "s3", "--verify", "some"), "invalid choice"),
    (("BACKUP", "--to", "s3", "--move"), "confirm with --yes"),
    (("BACKUP", "--to", "s3", "--owner", " "), "give a project's ID"),
    (("BACKUP", "--to", "s3", "--scratch", "/nowhere"), "no folder that this user may write"),
)


def test_bad_arguments_are_refused_before_anything_is_touched(
    cloud: Any, run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    source = cloud.create_backup(cloud.create_volume(1), "posix_1")
    for arguments, text in BAD:
        ended = run("copy", *(source.id if one == "BACKUP" else one for one in arguments))
        assert ended.code in (1, 2), arguments
        assert text in ended.err + capfd.readouterr().err, arguments
    assert [one.id for one in cloud.backups.get_all(cloud.context)] == [source.id]


def test_only_new_backups_are_copied_with_newer_than(cloud: Any, run: Run) -> None:
    from cinder.db import api as db

    volume = cloud.create_volume(1)
    old, new = cloud.create_backup(volume, "posix_1"), cloud.create_backup(volume, "posix_2")
    old.created_at -= timedelta(days=8)
    db.backup_update(cloud.context, old.id, {"created_at": old.created_at.replace(tzinfo=None)})
    ended = run("copy", "--from", "posix", "--to", "s3", "--newer-than", "7d", "-f", "json")
    assert [row["Backup"] for row in ended.json] == [new.id]


@IN_ITS_OWN_THREADS
def test_on_a_terminal_a_table_is_brief_and_progress_is_shown(
    cloud: Any, run: Run, emulator: Emulator
) -> None:
    source = cloud.create_backup(cloud.create_volume(1), "posix_1")
    ended = run("copy", source.id, "--to", "datera", terminal=True)
    assert ended.code == 0
    assert "100%" in ended.err or "MiB" in ended.err
    assert all(len(line) <= 79 for line in ended.out.splitlines())
    assert f"| {source.id[:8]} | posix_1 | " in ended.out
    # Nothing stays attached.
    assert not list(emulator.cluster.sessions)
