# SPDX-License-Identifier: Apache-2.0
"""Wait for the engine, report its progress, and cancel it when needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import Any, Protocol, TypeVar

from cinder import exception
from cinder.objects import fields
from cinder.volume import volume_utils
from oslo_config import cfg

from datera_backup.engine import Job, Progress, Timings
from datera_backup.native_thread import in_native_thread

CONF = cfg.CONF
CONF.import_opt("backup_timer_interval", "cinder.backup.driver")
CONF.import_opt("backup_object_number_per_notification", "cinder.backup.driver")

SLICE_SECONDS = 1.0
"""How long to wait for the engine before looking at the record again."""

R = TypeVar("R")


class BackupCancelled(Exception):
    """The record is being deleted, or was, while its backup runs."""


class Watch(Protocol):
    """Looks after a running job, once every slice."""

    def check(self) -> None:
        """Raise if the job has to stop."""

    def report(self, progress: Progress) -> None:
        """Report the job's progress."""


def run(job: Job[R], watch: Watch, slice_seconds: float = SLICE_SECONDS) -> R:
    """Run the job to its end, and return what it gives.

    Whatever ends the wait early, no thread of the job is left when this returns.
    """
    job.start()
    try:
        # At once: a short job is over before it is looked at again.
        watch.report(job.progress)
        while not in_native_thread(job.wait, slice_seconds):
            watch.check()
            watch.report(job.progress)
    except BaseException:
        job.cancel()
        _wait_whatever_comes(job)
        raise
    return in_native_thread(job.result)


def _wait_whatever_comes(job: Job[R]) -> None:
    """Wait for the end of a job's threads; what ends the waiting thread meanwhile comes after."""
    ends: BaseException | None = None
    while True:
        try:
            in_native_thread(job.wait)
            break
        except BaseException as end:  # GreenletExit, eventlet.Timeout, KeyboardInterrupt
            ends = ends or end
    if ends is not None:
        raise ends


@contextmanager
def concurrency_slot(slots: Semaphore | None, watch: Watch) -> Iterator[None]:
    """Wait for one of the slots, and hold it while the block runs; None: there is no limit."""
    if slots is None:
        yield
        return
    while not slots.acquire(timeout=SLICE_SECONDS):
        watch.check()
    try:
        yield
    finally:
        slots.release()


class Guarded:
    """A watch that also ends the job when something it relies on is no longer so.

    :param require: raises if it is not.
    """

    def __init__(self, watch: Watch, require: Callable[[], None]) -> None:
        self._watch = watch
        self._require = require

    def check(self) -> None:
        """Raise if the job has to stop."""
        self._require()
        self._watch.check()

    def report(self, progress: Progress) -> None:
        """Report the job's progress."""
        self._watch.report(progress)


class Reporting:
    """A watch that also calls back each time that bytes have moved.

    :param tell: may raise, which ends the job.
    :ivar timings: of the job, once it has begun.
    """

    def __init__(self, watch: Watch, tell: Callable[[str], None]) -> None:
        self._watch = watch
        self._tell = tell
        self._done = 0
        self.timings: Timings | None = None

    def check(self) -> None:
        """Raise if the job has to stop."""
        self._watch.check()

    def report(self, progress: Progress) -> None:
        """Report the job's progress."""
        self.timings = progress.timings
        if progress.done != self._done:
            self._done = progress.done
            self._tell(f"{progress.done} of {progress.total} bytes done")
        self._watch.report(progress)


class BackupWatch:
    """Cancels a backup whose record is deleted, and sends Cinder's progress notifications.

    :param chunk_size: bytes that count as one object for ``backup_object_number_per_notification``.
    :param timer: whether to send one every ``backup_timer_interval`` seconds besides.
    """

    def __init__(
        self,
        context: Any,
        backup: Any,
        *,
        chunk_size: int,
        timer: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._context = context
        self._backup = backup
        self._step = chunk_size * max(1, CONF.backup_object_number_per_notification)
        self._interval = CONF.backup_timer_interval if timer else None
        self._clock = clock
        self._reported_steps = 0
        self._reported_at = clock()

    def check(self) -> None:
        """Look at the record.

        :raises BackupCancelled: it is being deleted, or was.
        """
        try:
            with self._backup.as_read_deleted():
                self._backup.refresh()
        except exception.BackupNotFound as gone:
            raise BackupCancelled(self._backup.id) from gone
        if self._backup.status in (fields.BackupStatus.DELETING, fields.BackupStatus.DELETED):
            raise BackupCancelled(self._backup.id)

    def report(self, progress: Progress) -> None:
        """Send a notification if enough was done, or enough time went by, since the last."""
        steps = progress.done // self._step
        due = self._interval is not None and self._clock() - self._reported_at >= self._interval
        if steps > self._reported_steps or due:
            self._reported_steps = steps
            self._notify(progress.done * 100 / progress.total if progress.total else 100)

    def finished(self) -> None:
        """Send the last one: all is done."""
        self._notify(100)

    def _notify(self, percent: float) -> None:
        self._reported_at = self._clock()
        volume_utils.notify_about_backup_usage(
            self._context,
            self._backup,
            "createprogress",
            extra_usage_info={"backup_percent": percent},
        )


class RestoreWatch:
    """Cancels a restore whose record is no longer being restored."""

    def __init__(self, backup: Any, volume_id: str) -> None:
        self._backup = backup
        self._volume_id = volume_id

    def check(self) -> None:
        """Look at the record.

        :raises BackupRestoreCancel: it changed its state.
        """
        cancel = exception.BackupRestoreCancel(back_id=self._backup.id, vol_id=self._volume_id)
        try:
            with self._backup.as_read_deleted():
                self._backup.refresh()
        except exception.BackupNotFound as gone:
            raise cancel from gone
        if self._backup.status != fields.BackupStatus.RESTORING:
            raise cancel

    def report(self, progress: Progress) -> None:
        """Cinder has no notification for a restore under way."""


class VerifyWatch:
    """Reports a verification's progress; only the callback can end it."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress

    def check(self) -> None:
        """No record can cancel it."""

    def report(self, progress: Progress) -> None:
        """Pass it on."""
        self._progress(progress.done, progress.total)
