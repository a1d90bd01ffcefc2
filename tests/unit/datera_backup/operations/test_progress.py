# SPDX-License-Identifier: Apache-2.0
"""Waiting for a job: notifications, cancelling, and no thread left behind."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from cinder import exception
from cinder.objects import fields

from datera_backup.container import GIB
from datera_backup.engine import Job, Progress
from datera_backup.operations.progress import (
    BackupCancelled,
    BackupWatch,
    Reporting,
    RestoreWatch,
    concurrency_slot,
    run,
)

pytestmark = pytest.mark.release


class Countdown(Job[str]):
    """A job that ends after so many waits."""

    def __init__(self, waits: int) -> None:
        self.waits = waits
        self.started = self.cancelled = False

    def start(self) -> None:
        self.started = True

    def wait(self, timeout: float | None = None) -> bool:
        self.waits -= 1
        return timeout is None or self.waits <= 0

    def cancel(self) -> None:
        self.cancelled = True

    @property
    def progress(self) -> Progress:
        return Progress(done=1, total=2, stored=0)

    def result(self) -> str:
        return "result"


class Record:
    """As much of a backup's record as a watch looks at."""

    id = "6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"

    def __init__(self, *states: str | None) -> None:
        self._states = iter(states)
        self.status: str | None = None
        self.deleted_visible = False

    @contextmanager
    def as_read_deleted(self) -> Iterator[None]:
        self.deleted_visible = True
        yield
        self.deleted_visible = False

    def refresh(self) -> None:
        assert self.deleted_visible
        self.status = next(self._states)
        if self.status is None:
            raise exception.BackupNotFound(backup_id=self.id)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def backup_watch(record: Any, clock: Any = None, *, timer: bool = True) -> BackupWatch:
    return BackupWatch(None, record, chunk_size=GIB, timer=timer, clock=clock or Clock())


def test_a_job_is_run_to_its_end() -> None:
    job = Countdown(3)
    assert run(job, backup_watch(Record("creating", "creating"), timer=False)) == "result"
    assert job.started
    assert not job.cancelled


@pytest.mark.parametrize("state", ["deleting", "deleted", None])
def test_a_deleted_record_cancels_its_backup(state: str | None) -> None:
    job = Countdown(9)
    with pytest.raises(BackupCancelled):
        run(job, backup_watch(Record("creating", state)))
    assert job.cancelled


def test_another_state_does_not_cancel_a_backup() -> None:
    assert run(Countdown(3), backup_watch(Record("error", "available"))) == "result"


@pytest.mark.parametrize("state", ["available", "error", "deleting", None])
def test_any_other_state_cancels_a_restore(state: str | None) -> None:
    job = Countdown(9)
    record = Record(fields.BackupStatus.RESTORING, state)
    with pytest.raises(exception.BackupRestoreCancel, match=f"{Record.id} restore on volume vol"):
        run(job, RestoreWatch(record, "vol"))
    assert job.cancelled


def test_what_ends_the_wait_leaves_no_thread() -> None:
    job = Countdown(9)
    watch = mock.Mock(check=mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(job, watch)
    assert job.cancelled


class Ending(BaseException):
    """As eventlet's GreenletExit and Timeout are: no Exception."""


def test_what_comes_while_the_threads_end_is_raised_when_they_have() -> None:
    class Slow(Countdown):
        def wait(self, timeout: float | None = None) -> bool:
            self.waits -= 1
            if self.waits in (2, 3):
                raise Ending(self.waits)
            return self.waits <= 1

    job = Slow(4)
    with pytest.raises(Ending, match="2"):
        run(job, mock.Mock())
    assert job.cancelled
    assert job.waits == 1


@pytest.fixture
def sent() -> Iterator[list[float]]:
    percents: list[float] = []

    def notify(_context: Any, _backup: Any, event: str, extra_usage_info: dict[str, float]) -> None:
        assert event == "createprogress"
        percents.append(extra_usage_info["backup_percent"])

    with mock.patch("cinder.volume.volume_utils.notify_about_backup_usage", notify):
        yield percents


def test_a_notification_is_sent_every_ten_chunks(sent: list[float]) -> None:
    watch = backup_watch(Record(), timer=False)
    for done in (5, 10, 15, 19, 20, 40):
        watch.report(Progress(done * GIB, 40 * GIB, 0))
    watch.finished()
    assert sent == [25, 50, 100, 100]


def test_a_notification_is_sent_every_interval_besides(sent: list[float]) -> None:
    clock = Clock()
    watch = backup_watch(Record(), clock)
    for now in (200, 219, 220, 230, 341):
        clock.now = now
        watch.report(Progress(GIB, 10 * GIB, 0))
    assert sent == [10, 10]


def test_the_timer_can_be_switched_off(sent: list[float]) -> None:
    clock = Clock()
    watch = backup_watch(Record(), clock, timer=False)
    clock.now = 10**6
    watch.report(Progress(GIB, 10 * GIB, 0))
    assert sent == []


def test_concurrency_slot_is_waited_for_until_cancelled_and_released() -> None:
    slots = threading.Semaphore(1)
    with concurrency_slot(slots, backup_watch(Record())):
        waiting = concurrency_slot(slots, backup_watch(Record("creating", "creating", "deleting")))
        with (
            mock.patch("datera_backup.operations.progress.SLICE_SECONDS", 0.001),
            pytest.raises(BackupCancelled),
        ):
            waiting.__enter__()
    assert slots.acquire(blocking=False)


def test_without_a_limit_nobody_waits() -> None:
    with concurrency_slot(None, backup_watch(Record())):
        pass


def test_report_of_moved_bytes_is_told_once_and_may_end_the_job() -> None:
    told: list[str] = []
    reporting = Reporting(backup_watch(Record(), timer=False), told.append)
    for done in (0, 1, 1, 2):
        reporting.report(Progress(done, 4, 0))
    assert told == ["1 of 4 bytes done", "2 of 4 bytes done"]

    def refuse(doing: str) -> None:
        raise InterruptedError(doing)

    job = Countdown(3)
    with pytest.raises(InterruptedError, match="bytes done"):
        run(job, Reporting(mock.Mock(), refuse))
    assert job.cancelled
