# SPDX-License-Identifier: Apache-2.0
"""Every call reaches the owner with what it was given, and its result comes back as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.release

Start = Callable[..., Any]
RECORDING = "tests.fixtures.backends.recording_driver"
ANSWER = {"service_metadata": "updated by the backend"}
MIB = 2**20


@pytest.fixture
def cinder(start_dispatching: Start, recording: Any) -> Any:
    return start_dispatching(secondaries=f"{RECORDING}, tests.fixtures.backends.shelf_driver")


@pytest.fixture
def backup(cinder: Any) -> Any:
    return cinder.create_backup(cinder.create_volume(1), "recording_driver_1")


@pytest.fixture
def dispatcher(cinder: Any, backup: Any, recording: Any) -> Any:
    from backup_dispatch.driver import BackupDispatcher

    recording.calls.clear()
    return BackupDispatcher(cinder.context)


def test_cinder_saves_what_the_backend_returns(cinder: Any, recording: Any) -> None:
    recording.answers["backup"] = ANSWER
    backup = cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    assert (backup.status, backup.service_metadata) == ("available", ANSWER["service_metadata"])
    # Cinder's manager passes no backup_metadata: the backend's own default must apply.
    (call,) = recording.calls
    assert (call[0], call[-1]) == ("backup", {})


@pytest.mark.parametrize("optional", [{}, {"backup_metadata": False}, {"backup_metadata": True}])
def test_backup_reaches_its_backend_with_the_arguments_given(
    dispatcher: Any, backup: Any, recording: Any, optional: Any
) -> None:
    recording.answers["backup"] = ANSWER
    assert dispatcher.backup(backup, io.BytesIO(b"volume"), **optional) is ANSWER
    ((call, given, file, given_optional),) = recording.calls
    assert (call, given.id, given_optional) == ("backup", backup.id, optional)
    assert file.read() == b"volume"


@pytest.mark.parametrize("optional", [{}, {"volume_is_new": False}, {"volume_is_new": True}])
def test_restore_reaches_the_owner_with_the_arguments_given(
    dispatcher: Any, backup: Any, recording: Any, optional: Any
) -> None:
    recording.answers["restore"] = ANSWER
    volume = io.BytesIO(b"volume")
    assert dispatcher.restore(backup, "volume", volume, **optional) is ANSWER
    assert dispatcher.restore(backup, "volume", volume, *optional.values()) is ANSWER
    for call, given, volume_id, file, given_optional in recording.calls:
        assert (call, given.id, given_optional) == ("restore", backup.id, optional)
        assert (volume_id, file.getvalue()) == ("volume", b"volume")


@pytest.mark.parametrize("call", ["delete_backup", "export_record"])
def test_deletion_and_export_reach_the_owner(
    dispatcher: Any, backup: Any, recording: Any, call: str
) -> None:
    recording.answers[call] = ANSWER
    assert getattr(dispatcher, call)(backup) is ANSWER
    ((called, given, optional),) = recording.calls
    assert (called, given.id, optional) == (call, backup.id, {})


def test_what_a_backend_sets_in_the_record_is_cinders_afterwards(
    dispatcher: Any, backup: Any, cinder: Any, recording: Any
) -> None:
    def change(record: Any, *_file: Any) -> None:
        record.parent = record.parent_id = None
        record.object_count = 7
        record.save()
        with record.as_read_deleted():
            record.refresh()
        record.service_metadata = "not saved"

    recording.answers["backup"] = change
    dispatcher.backup(backup, io.BytesIO())
    assert (backup.object_count, backup.service_metadata) == (7, "not saved")
    assert type(backup).__name__ == "Backup"
    backup.save()
    saved = cinder.backup(backup.id)
    assert (saved.object_count, saved.service_metadata) == (7, "not saved")


def test_import_reaches_the_backend_with_what_was_exported(
    dispatcher: Any, backup: Any, recording: Any
) -> None:
    info = {"where": "there"}
    recording.answers["import_record"] = ANSWER
    assert dispatcher.import_record(backup, info) is ANSWER
    assert recording.calls == [("import_record", backup, info, {})]


def test_what_an_export_carries_reaches_the_driver_that_said_it(
    cinder: Any, backup: Any, recording: Any
) -> None:
    info = {"where": "there"}
    recording.answers |= {"export_record": info, "holds": True}
    record = cinder.export_backup(backup)
    backup.destroy()
    recording.calls.clear()
    imported = cinder.import_backup(record)
    assert imported.status == "available", cinder.failures
    assert [(call[0], *call[2:]) for call in recording.calls] == [("import_record", info, {})]
    assert cinder.export_backup(imported)["backup_url"]
    assert cinder.backup(backup.id).service == f"{RECORDING}.RecordingBackupDriver"


def test_an_import_without_anything_for_a_driver_bothers_none(cinder: Any, recording: Any) -> None:
    recording.answers["import_record"] = ValueError("not one of mine")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    record = cinder.export_backup(backup)
    forget(backup)
    assert cinder.import_backup(record).status == "available", cinder.failures
    assert not recording.calls


def test_an_import_goes_to_the_backend_that_takes_it(
    start_dispatching: Start, recording: Any
) -> None:
    cinder = start_dispatching(
        secondaries=f"{RECORDING}, tests.fixtures.backends.recording_driver_too"
    )
    recording.answers["export_record"] = {"where": "there"}
    backup = cinder.create_backup(cinder.create_volume(1), "recording_driver_too_1")
    record = cinder.export_backup(backup)
    forget(backup)
    recording.calls.clear()
    reached = [ValueError("not on this cluster"), None]
    recording.answers["import_record"] = lambda *_arguments: _raised(reached.pop(0))
    assert cinder.import_backup(record).status == "available", cinder.failures
    assert [call[0] for call in recording.calls] == ["import_record", "import_record"]

    forget(cinder.backup(backup.id))
    reached += [ValueError("not on this cluster"), ValueError("nor on this one")]
    refused = cinder.import_backup(record)
    assert refused.status == "error"
    assert "recording_driver failed: ValueError: not on this cluster" in refused.fail_reason
    assert "recording_driver_too failed: ValueError: nor on this one" in refused.fail_reason


def forget(backup: Any) -> None:
    """Delete the record so that Cinder, which revives it, learns nothing from it."""
    backup.service = None
    backup.save()
    backup.destroy()


def _raised(error: Exception | None) -> None:
    if error:
        raise error


def test_volume_metadata_are_cinders(dispatcher: Any, cinder: Any) -> None:
    from cinder.backup.driver import BackupMetadataAPI

    volume = cinder.create_volume(1)
    vanilla = BackupMetadataAPI(cinder.context).get(volume.id)
    assert dispatcher.get_metadata(volume.id) == vanilla
    other = cinder.create_volume(1, name="")
    dispatcher.put_metadata(other.id, vanilla)
    assert cinder.volume(other.id).display_name == "volume"


def test_a_cancelled_restore_is_no_failure(dispatcher: Any, backup: Any, recording: Any) -> None:
    from cinder.exception import BackupRestoreCancel

    recording.answers["restore"] = BackupRestoreCancel(back_id="b", vol_id="v")
    with pytest.raises(BackupRestoreCancel):
        dispatcher.restore(backup, "volume", io.BytesIO())


@pytest.mark.parametrize("call", ["delete_backup", "export_record"])
def test_a_failure_names_the_backend(
    dispatcher: Any, backup: Any, recording: Any, call: str
) -> None:
    from backup_dispatch.errors import BackendFailed

    recording.answers[call] = OSError("no\nroute")
    with pytest.raises(BackendFailed) as caught:
        getattr(dispatcher, call)(backup)
    assert str(caught.value) == "Backup backend recording_driver failed: OSError: no route"
    assert caught.value.__cause__ is recording.answers[call]


@pytest.mark.parametrize("state_of_volume", ["backing-up", "available"])
def test_force_is_supported_and_refused_for_a_backup_that_such_a_backend_is_making(
    cinder: Any, recording: Any, state_of_volume: str
) -> None:
    answers: list[Any] = []

    def delete_meanwhile(backup: Any, _file: Any) -> None:
        # An operator may have reset the volume's state.
        volume = cinder.volume(backup.volume_id)
        assert volume.status == "backing-up"
        volume.status = state_of_volume
        volume.save()
        answers.append(cinder.delete_backup(backup, force=True))

    recording.answers["backup"] = delete_meanwhile
    made = cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    assert "is still being made, and backend recording_driver cannot delete" in (
        answers[0].fail_reason
    )
    assert [call[0] for call in recording.calls] == ["backup"]
    assert made.status == "available"
    assert cinder.delete_backup(made, force=True) is None


def test_force_is_refused_as_well_when_another_process_makes_the_backup(
    cinder: Any, backup: Any
) -> None:
    volume = cinder.volume(backup.volume_id)
    volume.status = "backing-up"
    volume.save()
    kept = cinder.delete_backup(backup, force=True)
    assert "is still being made" in kept.fail_reason
    other = cinder.create_backup(cinder.create_volume(1), "recording_driver_2")
    other.volume_id, other.status = volume.id, "creating"
    other.save()
    # Now it is the other one that is being made.
    assert cinder.delete_backup(backup, force=True) is None


def test_a_chunked_backend_stops_and_cleans_up_when_deleted_by_force(
    cinder: Any, shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    chunk = ShelfBackupDriver._backup_chunk
    deleted: list[Any] = []

    def delete_meanwhile(driver: Any, backup: Any, *rest: Any) -> None:
        chunk(driver, backup, *rest)
        if not deleted:
            deleted.append(cinder.delete_backup(backup, force=True))

    monkeypatch.setattr(ShelfBackupDriver, "_backup_chunk", delete_meanwhile)
    volume = cinder.create_volume(1)
    with pytest.raises(Exception, match="could not be found"):
        cinder.create_backup(volume, "shelf_driver_1")
    assert deleted == [None]
    assert not list(shelf.rglob("*_backup_*"))
