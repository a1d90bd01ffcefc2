# SPDX-License-Identifier: Apache-2.0
"""Reads and writes that wait for one another to be under way: one at a time would never end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from datera_backup.container import BackupReader, BackupUncommitted, Container, NewBackup
from datera_backup.engine import (
    BackupJob,
    EngineSettings,
    Job,
    JobCancelled,
    RestoreJob,
    VerifyJob,
)
from datera_backup.engine.sink import NullSink
from tests.fixtures.containers.devices import Buffer, FailingDevice, MemoryDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    BytesSource,
    MemorySink,
    SparseSource,
    TickingClock,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    some_bytes,
    verify,
    writer_for,
)

AT_ONCE = 4
SETTINGS = EngineSettings(workers=2, depth=3 * AT_ONCE, batch_size=2 * BLOCK, requests=AT_ONCE)
DATA = some_bytes(1, 400 * BLOCK).replace(bytes(BLOCK), b"\1" * BLOCK)


class Together:
    """A hook that holds calls of one kind until so many are held; then it lets all pass.

    :param after: how many pass before.
    """

    def __init__(self, kind: str, size: int = AT_ONCE, after: int = 0) -> None:
        self._kind = kind
        self._size = size
        self._after = after
        self._lock = threading.Lock()
        self._reached = threading.Event()
        self._held = 0

    def __call__(self, kind: str) -> None:
        if kind != self._kind:
            return
        with self._lock:
            self._after -= 1
            if self._after >= 0:
                return
            self._held += 1
            if self._held >= self._size:
                self._reached.set()
        assert self._reached.wait(30), f"{self._held} at once"

    @property
    def was_reached(self) -> bool:
        return self._reached.is_set()


class Switch:
    """A hook that does nothing until it is given one that does."""

    def __init__(self) -> None:
        self.hook: Callable[[str], None] = lambda _: None

    def __call__(self, kind: str) -> None:
        self.hook(kind)


def over(container: Container, hook: Callable[[str], None]) -> Container:
    device = FailingDevice(memory_of(container), hook)
    return Container.open(device, clock=TickingClock())


def result_of(job: Job[Any]) -> None:
    job.start()
    job.result()


def test_a_volume_is_read_by_several_requests_at_once() -> None:
    container = new_container(1)
    together = Together("read")
    writer = writer_for(container, 1, len(DATA))
    result_of(BackupJob(BytesSource(DATA, together), writer, SETTINGS))
    assert together.was_reached
    assert restore(container, 1) == DATA


def test_a_container_is_written_by_several_requests_at_once() -> None:
    container = new_container(1)
    switch = Switch()
    held = over(container, switch)
    writer = writer_for(held, 1, len(DATA))
    switch.hook = together = Together("write", SETTINGS.segment_writes)
    result_of(BackupJob(BytesSource(DATA), writer, SETTINGS))
    assert together.was_reached
    assert restore(reopened(container), 1) == DATA


def test_a_parents_manifests_are_read_ahead_by_several_requests_at_once() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    switch = Switch()
    held = over(container, switch)
    writer = writer_for(held, 2, len(DATA), BackupReader(held, identifier(1)))
    # Their page is read alone.
    switch.hook = together = Together("read", after=1)
    result_of(BackupJob(BytesSource(DATA), writer, SETTINGS))
    assert together.was_reached
    assert restore(reopened(container), 2) == DATA


@pytest.mark.parametrize("after", [2, 60])
def test_a_container_is_read_by_several_requests_at_once(after: int) -> None:
    """First its manifests, behind a page and its copy, then the blocks."""
    container = new_container(1)
    back_up(container, 1, DATA)
    switch = Switch()
    reader = BackupReader(over(container, switch), identifier(1))
    sink = MemorySink(len(DATA))
    for job in (
        RestoreJob(reader, sink, write_zeros=True, settings=SETTINGS),
        VerifyJob(reader, settings=SETTINGS),
    ):
        switch.hook = together = Together("read", after=after)
        result_of(job)
        assert together.was_reached
    assert bytes(sink.content) == DATA


@pytest.mark.parametrize("zeros", [True, False])
def test_a_volume_is_written_by_several_requests_at_once(zeros: bool) -> None:
    container = new_container(1)
    data = bytes(len(DATA)) if zeros else DATA
    # Chunks of zeros are one range: every second one is something else.
    step = 8 * BLOCK
    if zeros:
        data = b"".join(
            DATA[at : at + step] if at // step % 2 else bytes(step)
            for at in range(0, len(DATA), step)
        )
    back_up(container, 1, data)
    together = Together("write")
    sink = MemorySink(len(data), hook=together)
    reader = BackupReader(container, identifier(1))
    result_of(RestoreJob(reader, sink, write_zeros=True, settings=SETTINGS))
    assert together.was_reached
    assert bytes(sink.content) == data
    assert sink.flushed


def test_scattered_changes_are_written_by_several_requests_at_once() -> None:
    """They lie side by side in their container, and are read together."""
    container = new_container(1)
    old = DATA[: 2 * AT_ONCE * BLOCK]
    scattered = range(0, len(old), 2 * BLOCK)
    new = bytearray(old)
    for at in scattered:
        new[at : at + BLOCK] = bytes(255 - byte for byte in old[at : at + BLOCK])
    back_up(container, 2, bytes(new), back_up(container, 1, old))
    all_begun = threading.Barrier(AT_ONCE)

    class Holding(MemorySink):
        def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
            if offset in scattered:
                all_begun.wait(30)
            super().write(offset, buffers)

    sink = Holding(len(new))
    reader = BackupReader(container, identifier(2))
    settings = replace(SETTINGS, batch_size=len(new))
    result_of(RestoreJob(reader, sink, write_zeros=True, settings=settings))
    assert sink.content == new


def test_a_volume_that_takes_nothing_stops_the_reading_of_its_containers() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    reads: list[str] = []
    switch = Switch()
    reader = BackupReader(over(container, switch), identifier(1))
    held, opened = threading.Semaphore(0), threading.Event()

    def hold(kind: str) -> None:
        held.release()
        assert opened.wait(30)

    sink = MemorySink(len(DATA), hook=hold)
    settings = replace(SETTINGS, depth=5)
    job = RestoreJob(reader, sink, write_zeros=True, settings=settings)
    switch.hook = reads.append
    job.start()
    for _ in range(AT_ONCE):
        assert held.acquire(timeout=30)
    assert not job.wait(0)
    assert not held.acquire(blocking=False), "more writes at once"
    # Batches: those that are written, one that waits to be, others; manifests: those of a batch
    # each at most, and those ahead.
    assert len(reads) <= 2 * (AT_ONCE + 1 + 5) + AT_ONCE + 2
    opened.set()
    job.result()
    assert bytes(sink.content) == DATA


def test_one_request_at_a_time_gives_the_same() -> None:
    container = new_container(1)
    now = [0]

    def alone(_kind: str) -> None:
        now[0] += 1

    settings = replace(SETTINGS, requests=1)
    writer = writer_for(container, 1, len(DATA))
    result_of(BackupJob(BytesSource(DATA, alone), writer, settings))
    assert now[0] == 200
    newer = changed(DATA, 3, 40)
    parent = BackupReader(container, identifier(1))
    result_of(BackupJob(BytesSource(newer), writer_for(container, 2, len(DATA), parent), settings))
    assert restore(container, 2) == newer
    assert verify(BackupReader(container, identifier(2))) == []


class Forgetful(MemoryDevice):
    """Fails one of the first writes of segments while those after it succeed."""

    def __init__(self, device: MemoryDevice, failing: int) -> None:
        super().__init__(content=device.content)
        self._failing = failing
        self._others = threading.Semaphore(0)
        self.armed = False

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        if self.armed and offset == self._failing:
            # Not before two others behind it are there.
            for _ in range(2):
                assert self._others.acquire(timeout=30)
            raise OSError(5, "write failed")
        super().pwrite(offset, *buffers)
        if self.armed:
            self._others.release()


def test_a_failed_write_among_others_commits_nothing_and_leaves_nothing() -> None:
    container = new_container(1)
    back_up(container, 1, DATA)
    before = memory_of(container).allocated
    device = Forgetful(memory_of(container), container.tail)
    opened = Container.open(device, clock=TickingClock())
    writer = writer_for(opened, 2, len(DATA))
    device.armed = True
    job = BackupJob(BytesSource(DATA), writer, SETTINGS)
    job.start()
    with pytest.raises(OSError, match="write failed"):
        job.result()
    assert job.wait(0)
    with pytest.raises(BackupUncommitted):
        reopened(container).commit_of(identifier(2))
    assert memory_of(container).allocated > before
    again = reopened(container)
    again.drop(identifier(2))
    assert memory_of(container).allocated == before
    assert restore(again, 1) == DATA


def test_each_block_of_a_chain_is_written_once_and_to_its_own_place() -> None:
    container = new_container(1)
    parent = back_up(container, 1, DATA)
    newer = changed(DATA, 5, 150)
    back_up(container, 2, newer, parent)
    sink = MemorySink(len(newer))
    reader = BackupReader(container, identifier(2))
    result_of(RestoreJob(reader, sink, write_zeros=True, settings=SETTINGS))
    assert bytes(sink.content) == newer
    ranges = sorted((offset, offset + len(data)) for offset, data in sink.written)
    assert all(one[1] <= other[0] for one, other in pairwise(ranges))
    assert sum(end - start for start, end in ranges) == len(newer)


class Holding(MemoryDevice):
    """Holds the reads of one byte until it is told to let them pass."""

    def __init__(self, device: MemoryDevice, held: int) -> None:
        super().__init__(content=device.content)
        self._held = held
        self.passes = threading.Event()

    def pread(self, offset: int, buffer: memoryview) -> None:
        if offset <= self._held < offset + len(buffer):
            assert self.passes.wait(30)
        super().pread(offset, buffer)


def reaches(job: Job[Any], done: int) -> bool:
    return any(job.progress.done >= done or job.wait(0.01) for _ in range(3000))


@pytest.mark.parametrize("held", ["write", "read"])
def test_a_restores_progress_counts_each_write_when_it_ends(held: str) -> None:
    """Whether the end of the first write is waited for, or what is to be written last."""
    container = new_container(1)
    data = DATA[: 8 * BLOCK]
    chunk = back_up(container, 1, data).chunk(0)
    assert chunk is not None
    device = Holding(memory_of(container), max(chunk.offsets) if held == "read" else -1)
    reader = BackupReader(Container.open(device, clock=TickingClock()), identifier(1))
    passes = threading.Event()
    first = threading.Lock()

    def hold_first(kind: str) -> None:
        if held == kind == "write" and first.acquire(blocking=False):
            assert passes.wait(30)

    settings = replace(SETTINGS, requests=8)
    sink = MemorySink(len(data), hook=hold_first)
    job = RestoreJob(reader, sink, write_zeros=True, settings=settings)
    job.start()
    try:
        assert reaches(job, len(data) - settings.batch_size)
        assert job.progress.done < len(data)
    finally:
        passes.set()
        device.passes.set()
    job.result()
    assert job.progress.done == len(data)
    assert bytes(sink.content) == data


@pytest.mark.parametrize(("requests", "at_once"), [(1, 1), (24, 4)])
def test_a_cancelled_restore_waits_for_few_zeros(requests: int, at_once: int) -> None:
    container = new_container(1)
    size = 1 << 30
    new = NewBackup(identifier(1), "a volume", size)
    result_of(BackupJob(SparseSource(size, {}), container.begin(new, living=[])))
    begun, cancelled = threading.Semaphore(0), threading.Event()
    zeroed: list[tuple[int, int]] = []

    class Sink(NullSink):
        def zero(self, offset: int, length: int) -> None:
            zeroed.append((offset, length))
            begun.release()
            assert cancelled.wait(30)

    reader = BackupReader(container, identifier(1))
    settings = EngineSettings(workers=1, requests=requests)
    job = RestoreJob(reader, Sink(size), write_zeros=True, settings=settings)
    job.start()
    for _ in range(at_once):
        assert begun.acquire(timeout=30)
    job.cancel()
    cancelled.set()
    with pytest.raises(JobCancelled):
        job.result()
    assert len(zeroed) == at_once
    assert {(offset % (4 << 20), length) for offset, length in zeroed} == {(0, 4 << 20)}
