# SPDX-License-Identifier: Apache-2.0
"""One run of a job at a time in the whole cloud, by Cinder's coordination.

With ``[coordination] backend_url`` on one host's files the lock counts on that host alone; each
change of a record is therefore conditional besides, so that two runs never harm a backup.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cinder import coordination

from backup_dispatch.errors import DispatchError

PREFIX = "backup-dispatch-"


class JobRunning(DispatchError):
    """Another run of the job has its lock."""

    def __init__(self, job: str) -> None:
        super().__init__(
            f"Another {job} is running: nothing was done. Wait until it has ended. If it was "
            "killed, its lock is free as soon as its process is gone, or its lease has run out."
        )


@contextmanager
def only_run_of(job: str) -> Iterator[None]:
    """Hold the lock of a job; the coordination must have been started.

    :param job: its name, as in ``backup-dispatch JOB``.
    :raises JobRunning: another process has it.
    """
    lock = coordination.COORDINATOR.get_lock(f"{PREFIX}{job}")
    if not lock.acquire(blocking=False):
        raise JobRunning(job)
    try:
        yield
    finally:
        lock.release()
