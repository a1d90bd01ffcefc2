# SPDX-License-Identifier: Apache-2.0
"""Containers of backends that keep folders: nobody reaches from one backend's into another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
SECTIONS = """
[east]
backup_driver = posix
backup_posix_path = $state_path/east
[west]
backup_driver = posix
backup_posix_path = $state_path/west
"""

Start = Callable[..., Any]


@pytest.fixture
def cinder(start_cinder: Start, tmp_path: Path) -> Iterator[Any]:
    for name in ("east", "west"):
        (tmp_path / name).mkdir()
    yield start_cinder(
        defaults=f"{DISPATCHER}\nenabled_backup_backends = east, west", sections=SECTIONS
    )
    this_process().stop_checking()


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_containers_that_are_no_folders_are_refused(cinder: Any, tmp_path: Path) -> None:
    volume = cinder.create_volume(1)
    for container in (
        "../west/mine", "..", ".", ".hidden", "/tmp/x", "a/b", "", "a\0b", "line\nbreak",
        "x" * 250 + "/",
    ):  # fmt: skip
        refused = cinder.create_backup(volume, "east_1", container=container)
        assert refused.status == "error", container
        assert refused.fail_reason.startswith(
            "Backend east keeps backups in folders, and the container "
        )
        assert refused.fail_reason.endswith("that begins with no '.'."), refused.fail_reason
        assert refused.service == ""
        assert cinder.delete_backup(refused) is None, cinder.failures
    assert not files(tmp_path / "east")
    assert not files(tmp_path / "west")


def test_container_that_is_a_name_is_the_folder(cinder: Any, tmp_path: Path) -> None:
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "east_1", container="the month's")
    assert backup.status == "available", backup.fail_reason
    assert {name.split("/")[0] for name in files(tmp_path / "east")} == {"the month's"}
    assert cinder.restore_backup(backup).status == "available", cinder.failures
    assert cinder.delete_backup(backup) is None, cinder.failures


def test_nested_folder_of_vanilla_cinder_is_still_restored(cinder: Any, tmp_path: Path) -> None:
    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "east_1", container="plain")
    (tmp_path / "east" / "2024").mkdir()
    (tmp_path / "east" / "plain").rename(tmp_path / "east" / "2024" / "plain")
    backup.container = "2024/plain"
    backup.save()
    assert cinder.restore_backup(backup).status == "available", cinder.failures
    assert cinder.delete_backup(backup) is None, cinder.failures
    assert not files(tmp_path / "east")


@pytest.mark.parametrize("what", ["container", "absolute", "prefix"])
def test_record_that_points_into_another_folder_touches_nothing(
    cinder: Any, tmp_path: Path, what: str
) -> None:
    volume = cinder.create_volume(1)
    victim = cinder.create_backup(volume, "west_1", container="mine")
    before = files(tmp_path / "west")
    record = cinder.create_backup(volume, "east_1", container="own")
    if what == "prefix":
        record.service_metadata = f"../../west/mine/{victim.service_metadata}"
    else:
        away = "../west/mine" if what == "container" else str(tmp_path / "west/mine")
        record.container, record.service_metadata = away, victim.service_metadata
    record.save()

    refused = cinder.create_backup(volume, "east_2", incremental=True)
    assert refused.status == "error"
    assert "outside the folder of backend east" in refused.fail_reason
    target = cinder.create_volume(1)
    assert cinder.restore_backup(record, target).status == "error_restoring"
    kept = cinder.delete_backup(record)
    assert kept.status == "error"
    assert f"Backup {record.id}: its record places it in '" in kept.fail_reason
    assert "outside the folder of backend east; nothing is done there." in kept.fail_reason
    assert files(tmp_path / "west") == before


def test_imported_record_that_points_into_another_folder_finds_no_owner(
    cinder: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    volume = cinder.create_volume(1)
    victim = cinder.create_backup(volume, "west_1", container="mine")
    before = files(tmp_path / "west")
    victim.container = "../west/mine"
    victim.save()
    record = cinder.export_backup(victim)
    victim.destroy()
    imported = cinder.import_backup(record)
    assert cinder.restore_backup(imported).status == "error_restoring", cinder.failures
    assert cinder.delete_backup(imported) is not None
    assert "'../west/mine' is outside the backend's folder." in caplog.text
    assert files(tmp_path / "west") == before
