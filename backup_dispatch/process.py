# SPDX-License-Identifier: Apache-2.0
"""State for the lifetime of the process; Cinder creates a driver object for every operation."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cinder import context as cinder_context

from backup_dispatch import opts
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.counting.counters import FAILED, OK, counters
from backup_dispatch.errors import Unfit
from backup_dispatch.examination.backends import can_be_examined, examine
from backup_dispatch.examination.finding import State
from backup_dispatch.health import Check, Health


class Process:
    """One cinder-backup process: the health of its backends, and the backups it is creating."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._watched: Backends | None = None
        self._health: Health | None = None
        self._former: tuple[Backends, frozenset[str]] | None = None
        self._running: set[str] = set()
        self._stalled: set[str] = set()

    @property
    def is_this_one(self) -> bool:
        """False after a fork: threads do not survive it."""
        return self._pid == os.getpid()

    def health(self, enabled: Backends, conf: Any) -> Health:
        """The health of these backends; the first call begins to check them."""
        with self._lock:
            if self._health is None or self._watched != enabled:
                if self._health is not None:
                    self._health.stop()
                self._watched = enabled
                self._health = Health(
                    {backend.name: check_of(backend) for backend in enabled.enabled},
                    deadline=conf[opts.CHECK_TIMEOUT],
                    interval=conf.backup_driver_init_check_interval,
                )
                self._health.start()
            return self._health

    def stop_checking(self) -> None:
        """Discard the health: the next call begins again."""
        with self._lock:
            if self._health is not None:
                self._health.stop()
            self._health = self._watched = None
            self._former = None

    def former_names(self, enabled: Backends, read: Callable[[], frozenset[str]]) -> frozenset[str]:
        """The result of ``read`` for these backends; it is called once."""
        known = self._former
        if known is None or known[0] is not enabled:
            known = self._former = enabled, read()
        return known[1]

    @contextmanager
    def running(self, backup_id: str) -> Iterator[None]:
        """Mark the backup as being created here."""
        self._running.add(backup_id)
        try:
            yield
        finally:
            self._running.discard(backup_id)
            self._stalled.discard(backup_id)

    def note_stalled(self, backup_id: str) -> None:
        """Mark the backup as abandoned while its thread still runs."""
        self._stalled.add(backup_id)

    def is_stalled(self, backup_id: str) -> bool:
        """Whether the backup was abandoned in this process, and its thread still runs."""
        return backup_id in self._stalled and self.is_running(backup_id)

    def is_running(self, backup_id: str) -> bool:
        """Whether the backup is being created in this process."""
        return backup_id in self._running


def check_of(backend: Backend) -> Check:
    """Examine the backend, then run the check that Cinder would if this were its only driver.

    It is examined first, because that reports what is wrong, where, and the remedy. With problems
    that do not prevent all work the backend is up.
    """

    def check() -> list[str]:
        try:
            problems = looked()
        except Exception:
            counters().checked(backend.name, FAILED)
            raise
        counters().checked(backend.name, OK)
        return problems

    def looked() -> list[str]:
        problems = []
        if can_be_examined(backend):
            problems = [one for one in examine(backend) if one.state is not State.UP]
        for one in problems:
            if one.state is State.DOWN:
                raise Unfit(one.text)
        backend.make(cinder_context.get_admin_context()).check_for_setup_error()
        return [one.text for one in problems]

    return check


_process = Process()
_renewing = threading.Lock()


def this_process() -> Process:
    """The state of the calling process, also after a fork."""
    global _process  # noqa: PLW0603 - this is the one state per process that there is
    if not _process.is_this_one:
        with _renewing:
            if not _process.is_this_one:
                _process = Process()
    return _process
