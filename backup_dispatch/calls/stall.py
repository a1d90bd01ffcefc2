# SPDX-License-Identifier: Apache-2.0
"""Waiting for a backend that may never answer.

Cinder's drivers have no deadline: a hanging call leaves its record ``creating`` forever. So the
backend works in a thread of its own while Cinder's monitors it. After the timeout without progress
the operation is abandoned: Cinder's thread ends it as failed, and the late thread can no longer
change anything. If progress is not visible, only a log message says what is waited for.

These are Python's ordinary threads: green in Cinder's eventlet mode, else native. Drivers' calls
may run in a native thread below a green one, so the code that records their progress takes no
lock, wakes no thread and does not log.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Generic, TypeVar, cast

from oslo_context import context as oslo_context
from oslo_log import log as logging

from backup_dispatch.calls.moved_bytes import MovedBytes
from backup_dispatch.counting.counters import Running
from backup_dispatch.errors import BackendStalled

LOG = logging.getLogger(__name__)

FIRST_NOTICE = 300.0
"""Seconds without progress until a log message; doubled for each further message."""

LOOK_AGAIN = 60.0
"""Seconds between two checks of a volume that must answer before it can be detached."""

MINUTES_FROM = 120
"""Seconds from which a duration is given in minutes."""

R = TypeVar("R")


class Abandoned(Exception):
    """The operation has been abandoned: its late thread must not change anything."""


class Clock:
    """A monotonic clock, and a way to wait."""

    def now(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until the event is set, or the time has passed.

        :returns: whether it is set.
        """
        return event.wait(seconds)


CLOCK = Clock()


class Sight(Enum):
    """How much of a driver's progress is visible."""

    ALL = "all"
    """All of it."""

    MOVES = "moves"
    """The data that it moves, except by calls that are not monitored; visible again afterwards."""

    FIRST_MOVES = "first moves"
    """As before, but after the first call that is not monitored nothing is visible."""


class Operation:
    """One call of a backend: what it did last and when, and whether it is abandoned.

    :ivar what: the call, for the log: ``backup 4a7e…``.
    :ivar backend: the backend's name.
    :ivar moved_bytes: what it has moved of the volume.
    :ivar counted: where what it moves is counted.
    """

    def __init__(
        self,
        what: str,
        backend: str,
        sight: Sight,
        clock: Clock,
        counted: Running | None = None,
    ) -> None:
        self.what = what
        self.backend = backend
        self.counted = counted or Running((what, backend), clock.now())
        self._clock = clock
        self._sight = sight
        self._seen = sight is Sight.ALL
        self._blind = False
        self._last = ("started", clock.now())
        self._volume_calls: dict[object, None] = {}
        self.moved_bytes = MovedBytes()
        self._lock = threading.Lock()
        self._finished = False
        self._abandoned = False
        self._on_abandon: list[Callable[[], None]] = []

    # Called by the backend's side

    def moved(self, doing: str) -> None:
        """Note that the operation moved data.

        :raises Abandoned: it has been ended.
        """
        self.lives(doing)
        if not self._blind:
            self._seen = True

    def reported(self, doing: str) -> None:
        """Note what the driver itself reports: from now on its progress counts as visible.

        :raises Abandoned: it has been ended.
        """
        self.lives(doing)
        self._sight = Sight.ALL
        self._seen = True
        self.moved_bytes.reported(doing)

    def lives(self, doing: str) -> None:
        """Note that the operation made progress, without moving data.

        :raises Abandoned: it has been ended.
        """
        self.require()
        self._last = (doing, self._clock.now())

    def lost_sight(self) -> None:
        """Note that the driver's progress may not be visible from now on."""
        if self._sight is Sight.ALL:
            return
        self._seen = False
        self._blind = self._sight is Sight.FIRST_MOVES
        self._last = (self._last[0], self._clock.now())

    def reached_the_end(self) -> None:
        """Note that the volume was read to its end: further work may not be visible."""
        if self._sight is Sight.FIRST_MOVES:
            self.lost_sight()

    def require(self) -> None:
        """Return unless the operation is abandoned.

        :raises Abandoned: it has been ended.
        """
        if self._abandoned:
            raise Abandoned(f"The {self.what} was ended: nothing had moved for too long.")

    @contextmanager
    def using_the_volume(self, doing: str) -> Iterator[None]:
        """Note a call of the volume's file, or of its image, before and after.

        Any number of threads may be in such calls.

        :raises Abandoned: the operation has been ended, possibly during this call.
        """
        call = object()
        # Before asking whether it is abandoned: whoever abandons it looks for calls afterwards, and
        # so sees each one that is not refused.
        self._volume_calls[call] = None
        try:
            self.lives(doing)
            yield
        finally:
            del self._volume_calls[call]
        self.lives(doing)

    # Called by the waiting side

    @property
    def seen(self) -> bool:
        """Whether progress of the operation would be visible."""
        return self._seen

    @property
    def waits_for_the_volume(self) -> bool:
        """Whether a call of the volume's file, or of its image, has not returned."""
        return bool(self._volume_calls)

    @property
    def last(self) -> tuple[str, float]:
        """The last progress that was seen, and the clock's time of it."""
        return self._last

    def on_abandon(self, act: Callable[[], None]) -> None:
        """Call ``act`` when the operation is abandoned."""
        self._on_abandon.append(act)

    def finish(self) -> bool:
        """Note that the backend has answered; False if the operation is abandoned."""
        with self._lock:
            self._finished = not self._abandoned
            return self._finished

    def abandon(self) -> bool:
        """Abandon the operation; False if the backend has just answered."""
        with self._lock:
            if self._finished:
                return False
            self._abandoned = True
            for act in self._on_abandon:
                act()
            return True


class Wait(Generic[R]):
    """Waits for one operation of a backend.

    :param timeout: seconds without progress after which the operation is abandoned.
    :param around: entered by the backend's thread, exited when it ends, however late.
    :param stalled: called in the waiting thread when the operation has been abandoned.
    :param may_hand_back: whether the volume can be detached, as far as known.
    :param too_late: called in the backend's thread if it ends after being abandoned.
    """

    def __init__(
        self,
        operation: Operation,
        *,
        timeout: float,
        clock: Clock,
        around: AbstractContextManager[None] | None = None,
        stalled: Callable[[BackendStalled], None] = lambda _error: None,
        may_hand_back: Callable[[], bool] = lambda: True,
        too_late: Callable[[], None] = lambda: None,
    ) -> None:
        self._operation = operation
        self._timeout = timeout
        self._clock = clock
        self._around = around or nullcontext()
        self._stalled = stalled
        self._may_hand_back = may_hand_back
        self._too_late = too_late
        self._done = threading.Event()
        self._result: R | None = None
        self._error: BaseException | None = None
        self._noticed: tuple[float, float] = (0.0, 0.0)

    def run(self, call: Callable[[], R]) -> R:
        """Call it in a thread of its own, and return or raise what it does.

        :raises BackendStalled: no progress within the timeout; the call may still hang.
        """
        context, current = contextvars.copy_context(), oslo_context.get_current()

        def work() -> None:
            if current is not None:
                current.update_store()
            with self._around:
                self._work(call)

        name = f"{self._operation.what} at {self._operation.backend}"
        # A daemon thread, so that a hanging one does not keep the service from exiting.
        threading.Thread(target=context.run, args=(work,), name=name, daemon=True).start()
        error = self._until_done_or_stalled()
        if error is None:
            return self._outcome()
        self._until_handed_back()
        raise error

    def _work(self, call: Callable[[], R]) -> None:
        try:
            self._result = call()
        except BaseException as error:
            self._error = error
        if not self._operation.finish():
            LOG.warning(
                "Backup backend %s ended the %s after it had been given up: %s. That changes "
                "nothing any more.",
                self._operation.backend,
                self._operation.what,
                self._error or "it succeeded",
            )
            self._too_late()
        self._done.set()

    def _outcome(self) -> R:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback refers to this frame
        return cast("R", self._result)

    def _until_done_or_stalled(self) -> BackendStalled | None:
        while not self._clock.wait(self._done, self._next_look()):
            silent = self._silence()
            if self._operation.seen and silent >= self._timeout:
                error = self._error_of(silent)
                if self._operation.abandon():
                    LOG.error("The %s is given up: %s", self._operation.what, error.full_text)
                    self._stalled(error)
                    return error
            self._tell_what_is_waited_for(silent)
        return None

    def _until_handed_back(self) -> None:
        """Wait until the volume answers: detaching would hang, possibly the whole service."""
        while self._operation.waits_for_the_volume or not self._may_hand_back():
            if self._clock.wait(self._done, LOOK_AGAIN):
                return
            self._tell_what_is_waited_for(self._silence())

    def _silence(self) -> float:
        return self._clock.now() - self._operation.last[1]

    def _next_look(self) -> float:
        silent = self._silence()
        # What is not visible now may be in the next moment.
        left = self._timeout - (silent if self._operation.seen else 0.0)
        return max(min(left, self._next_notice() - silent), 0.0)

    def _next_notice(self) -> float:
        """Seconds without progress at which the next log message is due."""
        since, at = self._noticed
        return at * 2 if since == self._operation.last[1] and at else FIRST_NOTICE

    def _tell_what_is_waited_for(self, silent: float) -> None:
        if silent < self._next_notice():
            return
        self._noticed = (self._operation.last[1], self._next_notice())
        hidden = "" if self._operation.seen else ", and whether it gets on cannot be seen"
        LOG.warning(
            "The %s waits for %s. The last that was seen is '%s', at %s, %s ago%s.",
            self._operation.what,
            "its volume" if self._operation.waits_for_the_volume else self._name,
            self._operation.last[0],
            _moment(silent),
            _duration(silent),
            hidden,
        )

    @property
    def _name(self) -> str:
        return f"backup backend {self._operation.backend}"

    def _error_of(self, silent: float) -> BackendStalled:
        doing = self._operation.last[0]
        last = f"the last was '{doing}' at {_moment(silent)}, {_duration(silent)} ago"
        return BackendStalled(self._operation.backend, last, self._operation.waits_for_the_volume)


def _moment(seconds_ago: float) -> str:
    moment = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= MINUTES_FROM else f"{seconds:.0f} seconds"
