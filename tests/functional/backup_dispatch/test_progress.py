# SPDX-License-Identifier: Apache-2.0
"""What a user sees of a backup and a restore while they run, and a right percentage."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from cinder.backup.drivers.posix import PosixBackupDriver
from cinder.volume import volume_utils
from oslo_config import cfg

from backup_dispatch.backup_rows import PROGRESS
from backup_dispatch.calls import progress_property
from backup_dispatch.calls.progress_property import Looks
from tests.fixtures.cinder.database import threads_writing_in_turn

Start = Callable[..., Any]
MIB, GIB = 2**20, 2**30
WAIT = 30


class LookNow(Looks):
    """Fifteen seconds pass each time that a test says so, and it waits until it was looked."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._go = threading.Event()
        self._back = threading.Event()
        self._looking = False

    def now(self) -> float:
        return self.seconds

    def wait(self, ended: threading.Event) -> bool:
        if self._looking:
            self._looking = False
            self._back.set()
        while not ended.is_set():
            if self._go.wait(0.01):
                self._go.clear()
                self._looking = True
                return False
        self._back.set()
        return True

    def look(self) -> None:
        self.seconds += 15
        self._back.clear()
        self._go.set()
        assert self._back.wait(WAIT)


@pytest.fixture
def cinder(start_dispatching: Start) -> Any:
    return start_dispatching(secondaries="tests.fixtures.backends.recording_driver")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, cinder: Any) -> Iterator[LookNow]:
    looks = LookNow()
    # The tests' volumes of one GB have no more than that.
    small = SimpleNamespace(Gi=16 * MIB)
    monkeypatch.setattr("backup_dispatch.calls.watched_calls.units", small)
    monkeypatch.setattr(progress_property, "LOOKS", looks)
    with threads_writing_in_turn():
        yield looks


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The percentages of notifications."""
    percentages: list[float] = []

    def notify(_context: Any, _backup: Any, event: str, **more: Any) -> None:
        if event == "createprogress":
            percentages.append(more["extra_usage_info"]["backup_percent"])

    monkeypatch.setattr(volume_utils, "notify_about_backup_usage", notify)
    return percentages


def seen_at_objects(
    patch: pytest.MonkeyPatch, cinder: Any, looks: LookNow, method: str
) -> list[dict[str, str]]:
    """A user's properties, each time that posix's driver opens an object of the volume."""
    seen: list[dict[str, str]] = []
    opened: Any = getattr(PosixBackupDriver, method)

    def open_object(driver: Any, container: str, name: str, *more: Any, **options: Any) -> Any:
        if not name.endswith(("_metadata", "_sha256file")):
            looks.look()
            backups = cinder.backups.get_all(cinder.context)
            seen.append(dict(backups[0].metadata))
        return opened(driver, container, name, *more, **options)

    patch.setattr(PosixBackupDriver, method, open_object)
    return seen


def test_user_sees_the_progress_of_a_backup_while_it_runs(
    cinder: Any,
    looks: LookNow,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "backup_dispatch")
    monkeypatch.setattr(progress_property, "LOGGED", 2)
    seen = seen_at_objects(monkeypatch, cinder, looks, "get_object_writer")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1", properties={"mine": "x"})
    assert backup.status == "available", backup.fail_reason
    assert len(seen) == 4
    assert all(one["mine"] == "x" for one in seen)
    told = [one[PROGRESS] for one in seen]
    assert [text.partition(",")[0] for text in told] == ["25 %", "50 %", "75 %", "100 %"]
    assert told[0].startswith("25 %, 0 MB/s, less than a minute left (")
    assert set(backup.metadata) == {"mine", "backup_backend", "backup_stored"}
    lines = [one for one in caplog.messages if one.startswith(f"The backup {backup.id}: ")]
    assert len(lines) == 2


def test_user_sees_the_progress_of_a_restore_while_it_runs(
    cinder: Any, looks: LookNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = cinder.create_volume(1)
    for place in (3, 7, 15):
        cinder.write(volume, place * MIB, b"x" * MIB)
    backup = cinder.create_backup(volume, "posix_1")
    with monkeypatch.context() as patch:
        seen = seen_at_objects(patch, cinder, looks, "get_object_reader")
        cinder.restore_backup(backup)
    told = [one.get(PROGRESS, "") for one in seen]
    assert [text.split(",")[0] for text in told] == ["", "25 %", "50 %", "50 %"], (
        "zeros are passed over"
    )
    assert PROGRESS not in cinder.backup(backup.id).metadata


def test_failed_backup_shows_no_progress_any_more(
    cinder: Any, looks: LookNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_at_objects(monkeypatch, cinder, looks, "get_object_writer")

    def fail(*_arguments: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(PosixBackupDriver, "_finalize_backup", fail)
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert backup.status == "error"
    assert PROGRESS in seen[-1]
    assert PROGRESS not in backup.metadata


def test_progress_that_a_killed_service_has_left_is_removed_at_its_start(
    start_dispatching: Start,
) -> None:
    cinder = start_dispatching()
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1", properties={"mine": "x"})
    backup.metadata = {**backup.metadata, PROGRESS: "42 %"}
    backup.save()

    from backup_dispatch import startup
    from backup_dispatch.backends.configured import configured

    startup._look_around(configured(cfg.CONF), cfg.CONF)
    assert set(cinder.backup(backup.id).metadata) == {"mine", "backup_backend", "backup_stored"}


@pytest.mark.release
def test_percentage_in_cinders_notifications_is_right_for_chunked_drivers(
    start_dispatching: Start, sent: list[float]
) -> None:
    """Cinder divides chunks by bytes."""
    cinder = start_dispatching(more="backup_object_number_per_notification = 1")
    backup = cinder.create_backup(cinder.create_volume(1), "posix_1")
    assert backup.status == "available", backup.fail_reason
    assert sent == [objects * 4 * MIB * 100 / GIB for objects in (1, 2, 3, 4)] + [100]


def test_notifications_of_drivers_that_send_none(
    cinder: Any, looks: LookNow, sent: list[float], recording: Any
) -> None:
    def back_up(_backup: Any, volume_file: Any, **_more: Any) -> None:
        for _quarter in range(4):
            volume_file.read(4 * MIB)
            looks.look()

    recording.answers["backup"] = back_up
    backup = cinder.create_backup(cinder.create_volume(1), "recording_driver_1")
    assert backup.status == "available", backup.fail_reason
    assert sent == [25, 50, 75, 100]
