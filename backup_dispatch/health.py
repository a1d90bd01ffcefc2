# SPDX-License-Identifier: Apache-2.0
"""Which backends are up: checked in parallel, by each process for itself.

Cinder checks its driver once, before the service counts as up, and never again after an exception.
With several backends none may delay the others: so each is checked in a thread until it passes,
without a limit. These are Python's ordinary threads: green in Cinder's eventlet mode, native in its
threading mode.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from oslo_log import log as logging

from backup_dispatch.errors import BackendDown, reason_of

LOG = logging.getLogger(__name__)

Check = Callable[[], Sequence[str]]
"""Raises if a backend cannot be used at all; returns its other problems, one line each."""


class Health:
    """The state of some backends, by name.

    :param checks: one for each backend.
    :param deadline: seconds from the start until a backend that does not answer counts as down.
    :param interval: seconds between two checks of a backend that is down.
    """

    def __init__(
        self,
        checks: Mapping[str, Check],
        *,
        deadline: float,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watches = {
            name: _Watch(name, check, interval, deadline, clock) for name, check in checks.items()
        }

    def start(self) -> None:
        """Begin to check; returns at once."""
        for watch in self._watches.values():
            watch.start()

    def stop(self) -> None:
        """Begin no further check; does not wait for hanging ones, and ignores late answers."""
        for watch in self._watches.values():
            watch.stop()

    def require(self, name: str) -> None:
        """Return once the backend is known to be up.

        :raises BackendDown: its last check failed, or it has not answered within the deadline.
        """
        self._watches[name].require()


class _State(Enum):
    UNCHECKED = "unchecked"
    UP = "up"
    DOWN = "down"


class _Watch:
    """One backend's state, and the thread that checks it."""

    def __init__(
        self,
        name: str,
        check: Check,
        interval: float,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._check = check
        self._interval = interval
        self._deadline = deadline
        self._clock = clock
        self._started = clock()
        self._state = _State.UNCHECKED
        self._reason = ""
        self._changed = threading.Condition()
        self._stopped = threading.Event()

    def start(self) -> None:
        self._started = self._clock()
        # Not threading.Thread: its start() waits until the thread runs. In Cinder's eventlet mode
        # others would run meanwhile, among them resumed deletions, which fail until the driver's
        # check has returned. Like a daemon thread, it does not keep the service from exiting.
        _thread.start_new_thread(self._run, ())

    def stop(self) -> None:
        self._stopped.set()

    def require(self) -> None:
        with self._changed:
            while self._state is _State.UNCHECKED:
                left = self._started + self._deadline - self._clock()
                if left <= 0 or not self._changed.wait(left):
                    break
            if self._state is _State.UP:
                return
            reason = self._reason or (
                f"it has not answered its check for {self._deadline:g} seconds; "
                "look into the service's log"
            )
        raise BackendDown(self._name, reason)

    def _run(self) -> None:
        threading.current_thread().name = f"check of backup backend {self._name}"
        self._until_up()

    def _until_up(self) -> None:
        while not self._stopped.is_set():
            try:
                problems = self._check()
            except Exception as error:
                self._set(_State.DOWN, reason_of(error))
            else:
                self._set(_State.UP, "", problems)
                return
            self._stopped.wait(self._interval)

    def _set(self, state: _State, reason: str, problems: Sequence[str] = ()) -> None:
        # Only this thread sets them. The log comes first, so that waiting threads find the reason
        # there. Once stopped, it would log a backend that another watch has, or that is removed.
        if (state, reason) != (self._state, self._reason) and not self._stopped.is_set():
            self._tell(state, reason, problems)
        with self._changed:
            self._state, self._reason = state, reason
            self._changed.notify_all()

    def _tell(self, state: _State, reason: str, problems: Sequence[str]) -> None:
        if state is _State.UP:
            for line in problems:
                LOG.warning("Backup backend %s: %s", self._name, line)
            LOG.info("Backup backend %s is up.", self._name)
        else:
            LOG.warning(
                "Backup backend %s is down, next try in %g s: %s",
                self._name,
                self._interval,
                reason,
            )
