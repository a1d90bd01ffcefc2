# SPDX-License-Identifier: Apache-2.0
"""A job: moves bytes in its own threads, reports progress and can be cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from datera_backup.engine.errors import JobCancelled
from datera_backup.engine.pipeline.conveyor import Conveyor, Stopped
from datera_backup.engine.pipeline.pace import TokenBucket
from datera_backup.engine.pipeline.requests import Requests
from datera_backup.engine.pipeline.threads import unpatched_threading
from datera_backup.engine.pipeline.timings import PROCESSING, READING, Timings
from datera_backup.engine.settings import EngineSettings

R = TypeVar("R")
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    :param done: bytes of the source that are dealt with, zeros and holes included.
    :param total: bytes of the source.
    :param stored: bytes that moved between this process and the containers.
    :param timings: of the job, which go on while it runs.
    """

    done: int
    total: int
    stored: int
    timings: Timings | None = None


@dataclass(frozen=True)
class Step(Generic[T]):
    """What a job does next.

    :param needs_fetch: whether its bytes have to be fetched first.
    :param needs_work: whether a worker has to see it, then, before the consumer does.
    :param moves: bytes of the volume that count against the job's limit.
    """

    item: T
    needs_fetch: bool = False
    needs_work: bool = False
    moves: int = 0


class Stages(Protocol[T, R_co]):
    """What a job does. Each method's thread is its own, but for those said to run in several."""

    def produce(self) -> Iterator[Step[T]]:
        """Yield one item after the other, without their bytes. Runs in one thread."""

    def fetch(self, item: T) -> None:
        """Fetch an item's bytes. Runs in several threads, in any order."""

    def worker(self) -> Callable[[T], None]:
        """Return what works on an item in one of the worker threads."""

    def consume(self, item: T) -> None:
        """Take an item, in the order in which they were yielded. Runs in one thread."""

    def finish(self) -> R_co:
        """Handle the end of the items, and of all requests. Runs in the consumer's thread, once."""

    def progress(self) -> Progress:
        """Return how far it is. Runs in any thread."""


class Job(Generic[R]):
    """Runs once. Every method may be called from any thread.

    :ivar timings: where its threads' time goes, up to now.
    """

    timings: Timings

    def __init__(
        self,
        stages: Stages[Any, R],
        requests: Requests,
        settings: EngineSettings,
        rate: int = 0,
    ) -> None:
        """Prepare.

        :param requests: what the stages ask for is served by the job's threads.
        :param rate: bytes of the volume that may move in a second; 0 is no limit.
        """
        threading = unpatched_threading()
        self.timings = requests.timings
        self.timings.stored = lambda: stages.progress().stored
        self._stages = stages
        self._requests = requests
        self._settings = settings
        self._conveyor: Conveyor[Any] = Conveyor(settings.batches)
        self._limit = TokenBucket(rate, sleep=self._conveyor.pause) if rate else None
        self._lock = threading.Lock()
        self._threads: list[Any] = []
        self._finishing = False
        self._failure: BaseException | None = None
        self._result: R | None = None

    def start(self) -> None:
        """Start the threads and return.

        :raises RuntimeError: it was started before, or the system gives no more threads.
        """
        if self._threads:
            raise RuntimeError("the job was started before")
        # The planner last: until every thread is there nothing moves, so nothing can be committed.
        roles = [
            *[self._requests.serve] * self._settings.requests,
            *[self._work] * self._settings.worker_count,
            self._write,
            self._plan,
        ]
        thread_class = unpatched_threading().Thread
        try:
            for role in roles:
                thread = thread_class(target=self._guard, args=(role,), daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException as exc:
            self._fail(exc)
            self.wait()
            raise

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all threads have ended, at most ``timeout`` seconds; say whether they have.

        It blocks the calling native thread: under eventlet, call it through ``tpool``.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def cancel(self) -> None:
        """Ask the job to end; without effect on one that is finishing, or has ended."""
        self._fail(JobCancelled("The job was cancelled."))

    @property
    def progress(self) -> Progress:
        """How far the job is now."""
        return replace(self._stages.progress(), timings=self.timings)

    def result(self) -> R:
        """Wait for the end and return what the job gives.

        :raises JobCancelled: it was cancelled first.
        :raises Exception: the first failure of any of its threads.
        :raises RuntimeError: it was never started.
        """
        if not self._threads and self._failure is None:
            raise RuntimeError("the job was never started")
        self.wait()
        if self._failure is not None:
            raise self._failure
        return self._result  # type: ignore[return-value]  # set by the thread that did not fail

    def _guard(self, role: Callable[[], None]) -> None:
        try:
            role()
        except Stopped:
            pass
        except BaseException as exc:
            self._fail(exc, even_finishing=True)

    def _fail(self, failure: BaseException, *, even_finishing: bool = False) -> None:
        with self._lock:
            if self._failure is None and (even_finishing or not self._finishing):
                self._failure = failure
        if self._failure is not None:
            self._stop()

    def _stop(self) -> None:
        self._conveyor.stop()
        self._requests.stop()

    def _plan(self) -> None:
        steps = self._stages.produce()
        while True:
            self._conveyor.admit()
            step = next(steps, None)
            if step is None:
                break
            number = self._conveyor.place()
            if step.needs_fetch:
                self._requests.ask(partial(self._fetch, number, step))
            else:
                self._conveyor.hand_on(number, step.item, needs_work=step.needs_work)
            if self._limit is not None and step.moves:
                self._limit.take(step.moves)
        self._conveyor.close()

    def _fetch(self, number: int, step: Step[Any]) -> None:
        fetch = partial(self._stages.fetch, step.item)
        self.timings.timed(READING, fetch, fetched=step.moves)
        self._conveyor.hand_on(number, step.item, needs_work=step.needs_work)

    def _work(self) -> None:
        work = self._stages.worker()
        while (taken := self._conveyor.take()) is not None:
            number, item = taken
            self.timings.timed(PROCESSING, partial(work, item))
            self._conveyor.done(number, item)

    def _write(self) -> None:
        while (item := self._conveyor.next()) is not None:
            self._stages.consume(item)
            self._conveyor.finished()
        # Before it is finishing: a write that takes for ever can still be given up.
        self._requests.wait()
        with self._lock:
            if self._failure is not None:
                return
            self._finishing = True
        self._result = self._stages.finish()
        self._stop()
