# SPDX-License-Identifier: Apache-2.0
"""``backup-dispatch show``: whose a backup is, and how that is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]
Run = Callable[..., Any]
RunJson = Callable[..., Any]

POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
DISPATCHER = "backup_dispatch.driver.BackupDispatcher"


def test_show_lists_the_chain_of_a_backup(
    start_dispatching: Start, run_json: RunJson, tmp_path: Path
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "posix_1")
    backup = cinder.create_backup(volume, "posix_2", incremental=True)
    child = cinder.create_backup(volume, "posix_3", incremental=True)
    shown = run_json("show", "posix_2")
    files = list((tmp_path / "posix" / backup.container).iterdir())
    created = shown.pop("created")
    assert created == backup.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert shown == {
        "id": backup.id,
        "name": "posix_2",
        "status": "available",
        "fail_reason": None,
        "waits": None,
        "volume": volume.id,
        "volume_gb": 1,
        "backend": "posix",
        "known": "by its record",
        "record_says": POSIX,
        "lineage": [
            {"id": full.id, "kind": "full", "backend": "posix"},
            {"id": backup.id, "kind": "incremental", "backend": "posix"},
        ],
        "children": [child.id],
        "container": backup.container,
        "stored": sum(file.stat().st_size for file in files),
        "verified": None,
    }


def test_show_asks_for_the_owner_of_an_import_and_saves_nothing(
    start_dispatching: Start, run_json: RunJson
) -> None:
    cinder = start_dispatching()
    backup = cinder.create_backup(cinder.create_volume(1), "shelf_driver_1")
    backup.service = DISPATCHER
    backup.save()
    shown = run_json("show", backup.id)
    assert shown["backend"] == "shelf_driver"
    assert "the backend's own word and its property backup_backend" in shown["known"]
    assert cinder.backup(backup.id).service == DISPATCHER

    backup.metadata = {}
    backup.save()
    shown = run_json("show", backup.id)
    assert shown["backend"] == "shelf_driver"
    assert "property" not in shown["known"]


def test_show_of_a_backup_without_an_enabled_backend_says_why(
    start_dispatching: Start, run: Run, run_json: RunJson
) -> None:
    cinder = start_dispatching()
    refused = cinder.create_backup(cinder.create_volume(1), "ceph_1")
    shown = run_json("show", refused.id)
    assert (shown["backend"], shown["stored"]) == (None, None)
    assert "refused" in shown["known"]
    assert "ceph" in shown["fail_reason"]
    refused.service = "cinder.backup.drivers.swift.SwiftBackupDriver"
    refused.save()
    ended = run("show", refused.id, "-f", "json")
    shown = ended.json
    assert (ended.code, shown["backend"]) == (3, None)
    assert "which is no enabled backend" in shown["known"]


def test_show_of_a_backup_that_no_backend_was_called_for_is_certain(
    start_dispatching: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    cinder = start_dispatching()

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("no iSCSI session")

    with monkeypatch.context() as patch:
        patch.setattr(type(cinder.backup_manager), "_attach_device", refuse)
        failed = cinder.create_backup(cinder.create_volume(1), "posix_1")
    ended = run("show", failed.id, "-f", "json")
    assert (ended.code, ended.json["backend"]) == (0, None), ended.err
    assert "nothing of it is stored anywhere" in ended.json["known"]


def test_show_of_an_ambiguous_name_is_refused_with_the_ids(
    start_dispatching: Start, run: Run
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    two = [cinder.create_backup(volume, "twice").id for _ in range(2)]
    ended = run("show", "twice")
    assert ended.code == 1
    assert all(one in ended.err for one in two)


def test_the_table_fits_a_terminal_and_leaves_out_what_is_empty(
    start_dispatching: Start, run: Run
) -> None:
    cinder = start_dispatching()
    volume = cinder.create_volume(1)
    cinder.create_backup(volume, "posix_1")
    cinder.create_backup(volume, "posix_2", incremental=True)
    ended = run("show", "posix_2")
    assert max(map(len, ended.out.splitlines())) <= 80
    assert "children" not in ended.out
    assert "None" not in ended.out


def test_show_where_records_or_backends_do_not_say_tells_what_is_not_known(
    start_dispatching: Start, run: Run, shelf: Path
) -> None:
    cinder = start_dispatching()
    # An empty folder could be that of a share which is not mounted.
    shelf.with_name("posix").joinpath("another's").touch()
    volume = cinder.create_volume(1)
    full = cinder.create_backup(volume, "shelf_driver_1")
    backup = cinder.create_backup(volume, "shelf_driver_2", incremental=True)
    full.parent_id = backup.id
    full.save()
    ended = run("show", backup.id, "-f", "json")
    assert ended.code == 3
    assert f"backup {backup.id} is its own ancestor, by the records" in ended.err
    assert [one["kind"] for one in ended.json["lineage"]] == [
        "in a circle", "incremental", "incremental",
    ]  # fmt: skip

    full.destroy()
    ended = run("show", backup.id, "-f", "json")
    assert ended.code == 3
    assert f"backup {backup.id} builds on backup {full.id}, which has no record" in ended.err
    assert ended.json["lineage"] == [
        {"id": full.id, "kind": "no record", "backend": None},
        {"id": backup.id, "kind": "incremental", "backend": "shelf_driver"},
    ]
    assert ended.json["stored"]
    table = run("show", backup.id).out
    assert f"{full.id}  NO RECORD" in table
    assert max(map(len, table.splitlines())) <= 80

    shelf.rename(shelf.with_name("away"))
    ended = run("show", backup.id, "-f", "json")
    assert (ended.code, ended.json["backend"], ended.json["stored"]) == (3, "shelf_driver", None)
    assert "What is stored is not known: Backup backend shelf_driver is down" in ended.err
    backup.service = DISPATCHER
    backup.save()
    ended = run("show", backup.id, "-f", "json")
    assert (ended.code, ended.json["backend"]) == (3, None)
    assert "shelf_driver did not say" in ended.json["known"]
    assert "(Backup backend shelf_driver is down: " in ended.json["known"]


def test_show_of_an_operation_in_progress_asks_no_backend(
    start_dispatching: Start, run: Run, run_json: RunJson, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cinder import objects

    from backup_dispatch.command.verbs import show

    cinder = start_dispatching()
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    backup.status, backup.created_at = "creating", backup.created_at - timedelta(minutes=47)
    backup.save()
    monkeypatch.setattr(show, "stored_size", lambda *_given: pytest.fail("it would hang"))
    since = f"creating since {backup.created_at:%Y-%m-%d %H:%M} UTC (47 min), at backend posix"
    service = objects.Service.get_by_args(cinder.context, backup.host, "cinder-backup")
    assert run_json("show", backup.id)["waits"] == (
        f"{since}, by cinder-backup on testhost, which is up; its log says what was seen last; it "
        "is ended when nothing that can be seen has moved for 3600 seconds"
    )
    monkeypatch.setattr(objects.Service, "is_up", False)
    down = run_json("show", backup.id)["waits"]
    assert "by cinder-backup on testhost, which is DOWN (last heartbeat 2" in down
    assert "and resets it when it starts again" in down
    service.destroy()
    assert "no record: nobody works at it" in run_json("show", backup.id)["waits"]
