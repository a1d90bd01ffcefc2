# SPDX-License-Identifier: Apache-2.0
"""A backend that answers no more, in the middle of an operation."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.backends.hanging import HangingClock, HangingWriter
from tests.fixtures.cinder.patching import is_patched

Start = Callable[..., Any]
RECORDING = "tests.fixtures.backends.recording_driver"
MIB = 2**20
HOUR = 3600


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingClock]:
    from backup_dispatch.calls import stall

    hanging = HangingClock()
    monkeypatch.setattr(stall, "CLOCK", hanging)
    yield hanging
    hanging.answer_late()


@pytest.fixture
def cinder(start_dispatching: Start) -> Any:
    return start_dispatching(secondaries=f"{RECORDING}, tests.fixtures.backends.shelf_driver")


@pytest.fixture
def hanging_writer(monkeypatch: pytest.MonkeyPatch, clock: HangingClock) -> None:
    """The shelf takes half of its first object, and hangs."""
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    open_object = ShelfBackupDriver.get_object_writer

    def opening(driver: Any, *arguments: Any, **named: Any) -> Any:
        return HangingWriter(open_object(driver, *arguments, **named), clock)

    monkeypatch.setattr(ShelfBackupDriver, "get_object_writer", opening)


def stalled_backup(cinder: Any, clock: HangingClock, name: str = "shelf_driver_1") -> Any:
    """The record of a backup that was given up; its thread still hangs."""
    volume = cinder.create_volume(1)
    clock.arm()
    backup = cinder.create_backup(volume, name)
    assert [type(one).__name__ for one in cinder.failures] == ["BackendStalled"]
    return backup


def _backups(cinder: Any) -> Any:
    from cinder import objects

    return objects.BackupList.get_all(cinder.context)


def objects_on(shelf: Path) -> list[str]:
    """What the shelf keeps."""
    return sorted(path.name for path in shelf.rglob("*_backup_*"))


def test_backup_of_a_hanging_backend_ends_while_others_go_on(
    cinder: Any, clock: HangingClock, hanging_writer: None, shelf: Path
) -> None:
    other: list[Any] = []
    clock.meanwhile = lambda: other.append(cinder.create_backup(cinder.create_volume(1), "posix_1"))
    backup = stalled_backup(cinder, clock)
    assert other[0].status == "available"
    assert backup.status == "error"
    assert backup.fail_reason.startswith(
        "Timed out waiting for backup backend shelf_driver: nothing moves, the last was 'writing "
        "an object' at "
    )
    assert "60 minutes ago" in backup.fail_reason
    assert cinder.volume(backup.volume_id).status == "available"
    assert clock.seconds == HOUR

    clock.answer_late()
    late = cinder.backup(backup.id)
    assert (late.status, late.fail_reason) == ("error", backup.fail_reason)
    assert (late.object_count, cinder.volume(backup.volume_id).status) == (0, "available")
    assert objects_on(shelf)
    assert cinder.delete_backup(late) is None
    assert not objects_on(shelf)
    assert cinder.create_backup(cinder.volume(backup.volume_id), "shelf_driver_2").status == (
        "available"
    )


def test_backup_deleted_while_its_thread_hangs_leaves_nothing(
    cinder: Any, clock: HangingClock, monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    open_object = ShelfBackupDriver.get_object_writer

    def opening_late(driver: Any, *arguments: Any, **named: Any) -> Any:
        # As a store does that takes an object whole: it is there only after the answer.
        clock.hang()
        return open_object(driver, *arguments, **named)

    monkeypatch.setattr(ShelfBackupDriver, "get_object_writer", opening_late)
    backup = stalled_backup(cinder, clock)
    clock._armed = False
    assert cinder.delete_backup(backup) is None
    assert not objects_on(shelf)
    clock.answer_late()
    assert not objects_on(shelf)


def test_backup_given_up_while_it_is_being_deleted_is_no_failure(
    cinder: Any, clock: HangingClock, hanging_writer: None
) -> None:
    def begin_to_delete() -> None:
        (backup,) = _backups(cinder)
        backup.status = "deleting"
        backup.save()

    clock.meanwhile = begin_to_delete
    clock.arm()
    backup = cinder.create_backup(cinder.create_volume(1), "shelf_driver_1")
    assert not cinder.failures
    assert (backup.status, backup.fail_reason) == ("deleting", None)


def test_late_restore_does_not_touch_a_volume_that_was_handed_back(
    cinder: Any, clock: HangingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    volume = cinder.create_volume(1)
    cinder.write(volume, 0, b"old" * MIB)
    backup = cinder.create_backup(volume, "shelf_driver_1")
    cinder.write(volume, 0, b"new" * MIB)
    open_object = ShelfBackupDriver.get_object_reader
    opened: list[str] = []

    def opening(driver: Any, container: str, name: str, *more: Any) -> Any:
        opened.append(name)
        if not name.endswith("metadata"):
            clock.hang()
        return open_object(driver, container, name, *more)

    monkeypatch.setattr(ShelfBackupDriver, "get_object_reader", opening)
    clock.arm()
    cinder.restore_backup(backup, volume)
    assert [type(one).__name__ for one in cinder.failures] == ["BackendStalled"]
    assert cinder.volume(volume.id).status == "error_restoring"
    assert cinder.backup(backup.id).status == "available"
    # Cinder opens the file of such a volume in a way that empties it.
    cinder.write(volume, 0, b"mine" * MIB)
    clock.answer_late()
    assert opened
    assert cinder.read(volume, 0, 4 * MIB) == b"mine" * MIB
    assert cinder.volume(volume.id).status == "error_restoring"
    assert cinder.backup(backup.id).status == "available"
    assert cinder.restore_backup(cinder.backup(backup.id)).status == "available"


def test_hanging_deletion_ends_in_an_error_and_is_repeated(
    cinder: Any, clock: HangingClock, monkeypatch: pytest.MonkeyPatch, shelf: Path
) -> None:
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    backup = cinder.create_backup(cinder.create_volume(1), "shelf_driver_1")
    delete = ShelfBackupDriver.delete_object

    def deleting(*arguments: Any) -> None:
        clock.hang()
        delete(*arguments)

    monkeypatch.setattr(ShelfBackupDriver, "delete_object", deleting)
    clock.arm()
    cinder.delete_backup(backup)
    assert [type(one).__name__ for one in cinder.failures] == ["BackendStalled"]
    left = cinder.backup(backup.id)
    assert left.status == "error"
    assert "the last was 'deleting an object'" in left.fail_reason
    clock._armed = False
    assert cinder.delete_backup(left) is None
    assert not objects_on(shelf)


def test_backend_that_would_write_on_refuses_the_deletion_until_it_ends(
    cinder: Any, clock: HangingClock, recording: Any
) -> None:
    from backup_dispatch.calls.stall import Abandoned

    def hang(backup: Any, file: Any) -> Any:
        file.read(MIB)
        clock.hang()
        backup.service_metadata = "too late"
        with suppress(Abandoned):
            backup.save()
        backup.destroy()

    recording.answers["backup"] = hang
    backup = stalled_backup(cinder, clock, "recording_driver_1")
    clock._armed = False
    refused = cinder.delete_backup(backup)
    assert "was given up, but a call of backend recording_driver still hangs" in refused.fail_reason
    clock.answer_late()
    assert cinder.backup(backup.id).service_metadata is None
    assert cinder.delete_backup(refused) is None
    assert [call[0] for call in recording.calls] == ["backup", "delete_backup"]


def test_backup_that_cannot_be_seen_is_told_of_and_never_ended(
    cinder: Any, clock: HangingClock, recording: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def work_below(_backup: Any, file: Any) -> Any:
        file.read(MIB)
        assert os.pread(file.fileno(), 1, 0) == b"\0"
        clock.hang()
        return {"service_metadata": "done"}

    def wait_for_a_day() -> None:
        clock.seconds += 24 * HOUR

    recording.answers["backup"] = work_below
    clock.meanwhile = wait_for_a_day
    clock.arm()
    enough = HangingClock.wait

    def wait(this: HangingClock, event: Any, seconds: float) -> bool:
        if len(this.waits) == 4:
            this.answer()
        return enough(this, event, seconds)

    with caplog.at_level(logging.WARNING), pytest.MonkeyPatch.context() as patch:
        patch.setattr(HangingClock, "wait", wait)
        backup = cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    assert (backup.status, backup.service_metadata) == ("available", "done")
    notices = [one.getMessage() for one in caplog.records if "waits for" in one.getMessage()]
    assert notices[0].startswith(
        f"The backup {backup.id} waits for backup backend recording_driver. The last that was seen "
        "is 'reading the volume', at "
    )
    assert "whether it gets on cannot be seen" in notices[0]
    assert clock.seconds > 24 * HOUR


def test_volume_that_hangs_is_not_handed_back_before_it_answers(
    cinder: Any, clock: HangingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backup_dispatch.calls.progress import WatchedFile

    seen: list[Any] = []

    class HangingFile:
        def __init__(self, file: Any) -> None:
            self._file = file

        def read(self, length: int) -> bytes:
            clock.hang()
            return bytes(self._file.read(length))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    make = WatchedFile.__init__

    def init(this: Any, file: Any, operation: Any) -> None:
        make(this, HangingFile(file), operation)

    monkeypatch.setattr(WatchedFile, "__init__", init)
    enough = HangingClock.wait

    def wait(this: HangingClock, event: Any, seconds: float) -> bool:
        if this.seconds >= HOUR:
            (backup,) = _backups(cinder)
            seen.append((backup.status, cinder.volume(backup.volume_id).status))
            this.answer()
        return enough(this, event, seconds)

    monkeypatch.setattr(HangingClock, "wait", wait)
    backup = stalled_backup(cinder, clock)
    assert seen == [("error", "backing-up")]
    assert "Timed out waiting for its volume: nothing moves, the last was 'reading the volume'" in (
        backup.fail_reason
    )
    assert (backup.status, cinder.volume(backup.volume_id).status) == ("error", "available")


@pytest.mark.parametrize("restoring", [False, True], ids=["backup", "restore"])
def test_volume_that_could_not_be_closed_is_not_handed_back_either(
    cinder: Any, clock: HangingClock, monkeypatch: pytest.MonkeyPatch, restoring: bool
) -> None:
    from backup_dispatch.calls import watched_calls
    from tests.fixtures.backends.shelf_driver import ShelfBackupDriver

    volume = cinder.create_volume(1)
    backup = cinder.create_backup(volume, "shelf_driver_1") if restoring else None
    monkeypatch.setattr(ShelfBackupDriver, "put_container", lambda *_given: clock.hang())
    monkeypatch.setattr(ShelfBackupDriver, "get_object_reader", lambda *_given: clock.hang())
    answers, states = [False, True], []

    def answers_later(_file: Any) -> bool:
        states.append(cinder.volume(volume.id).status)
        return answers.pop(0)

    monkeypatch.setattr(watched_calls._VolumeFile, "answers", answers_later)
    clock.arm()
    if backup:
        cinder.restore_backup(backup, volume)
    else:
        cinder.create_backup(volume, "shelf_driver_1")
    assert [type(one).__name__ for one in cinder.failures] == ["BackendStalled"]
    assert states == ["restoring-backup" if restoring else "backing-up"] * 2
    assert cinder.volume(volume.id).status == ("error_restoring" if restoring else "available")


@pytest.mark.skipif(is_patched(), reason="the image is read natively, where green events hang")
def test_image_below_a_volume_is_read_before_it_is_closed(clock: HangingClock) -> None:
    import threading

    from backup_dispatch.calls.stall import Operation, Sight
    from backup_dispatch.calls.watched_calls import _VolumeFile

    back, ended = threading.Event(), threading.Event()

    class Image:
        def read(self, _offset: int, _length: int) -> bytes:
            assert back.wait(60)
            ended.set()
            raise OSError("the cluster is back, and the image is not")

    class File:
        rbd_image = Image()

    file = _VolumeFile(File(), Operation("backup b", "ceph", Sight.MOVES, clock))
    assert not file.answers()
    assert not file.answers()
    back.set()
    assert ended.wait(60)
    assert file._probe is not None
    assert file._probe.wait(60)
    assert file.answers()


def test_without_a_time_out_the_backend_works_in_cinders_own_thread(
    start_dispatching: Start, recording: Any
) -> None:
    import threading

    threads: list[Any] = []
    cinder = start_dispatching(
        secondaries=f"{RECORDING}, tests.fixtures.backends.shelf_driver",
        more="backup_dispatch_stall_timeout = 0",
    )
    recording.answers["backup"] = lambda *_given: threads.append(threading.current_thread())
    cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    assert threads == [threading.current_thread()]
