# SPDX-License-Identifier: Apache-2.0
"""Blocking calls to storage, several side by side, each by the next thread that is free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from datera_backup.engine.pipeline.conveyor import Stopped
from datera_backup.engine.pipeline.threads import unpatched_threading
from datera_backup.engine.pipeline.timings import Timings

R = TypeVar("R")


class Answer(Generic[R]):
    """What a call gives, once it has ended; :meth:`Requests.wait_for` waits for it."""

    def __init__(self, call: Callable[[], R]) -> None:
        self._call = call
        self._value: R | None = None
        self.ended = False

    def make(self) -> None:
        """Make the call, in the thread that serves it."""
        self._value = self._call()
        # What it holds, buffers for one, must not live as long as the answer.
        del self._call

    @property
    def value(self) -> R:
        """What it gave."""
        return self._value  # type: ignore[return-value]  # read only when it has ended


class Requests:
    """A queue of calls, served by as many threads as run :meth:`serve`.

    A call that raises ends its thread with the error, and its answer never comes: whoever runs the
    threads then stops all of it. No call may wait for another one.

    :ivar timings: of the job whose calls these are.
    """

    def __init__(self) -> None:
        self.timings = Timings()
        threading = unpatched_threading()
        self._lock = threading.Lock()
        self._asked = threading.Condition(self._lock)
        self._answered = threading.Condition(self._lock)
        self._urgent: deque[Answer[Any]] = deque()
        self._others: deque[Answer[Any]] = deque()
        self._under_way = 0
        self._stopped = False

    def ask(self, call: Callable[[], R], *, urgent: bool = False) -> Answer[R]:
        """Have a call made, in the order of asking.

        :param urgent: before all that are not, because a thread may soon wait for it.
        :raises Stopped: the requests were stopped.
        """
        answer = Answer(call)
        with self._lock:
            self.check()
            (self._urgent if urgent else self._others).append(answer)
            self._under_way += 1
            self._asked.notify()
        return answer

    def wait_for(self, answer: Answer[R]) -> R:
        """Wait for the end of a call and return what it gave.

        :raises Stopped: the requests were stopped.
        """
        with self._lock:
            while not (answer.ended or self._stopped):
                self._answered.wait()
            self.check()
        return answer.value

    def wait(self) -> None:
        """Wait until every call that was asked for has ended.

        :raises Stopped: the requests were stopped.
        """
        with self._lock:
            while self._under_way and not self._stopped:
                self._answered.wait()
            self.check()

    def serve(self) -> None:
        """Make calls, one after the other, until the requests are stopped.

        :raises Stopped: that is so.
        :raises Exception: what a call raised.
        """
        while True:
            answer = self._next()
            answer.make()
            with self._lock:
                answer.ended = True
                self._under_way -= 1
                self._answered.notify_all()
            del answer

    def stop(self) -> None:
        """Wake everybody up with :class:`Stopped`; calls that were not begun are never made."""
        with self._lock:
            self._stopped = True
            self._asked.notify_all()
            self._answered.notify_all()

    def check(self) -> None:
        """Raise once the requests are stopped: what makes a long call may ask between its parts.

        :raises Stopped: that is so.
        """
        if self._stopped:
            raise Stopped

    def _next(self) -> Answer[Any]:
        with self._lock:
            while not (self._urgent or self._others or self._stopped):
                self._asked.wait()
            self.check()
            return (self._urgent or self._others).popleft()
