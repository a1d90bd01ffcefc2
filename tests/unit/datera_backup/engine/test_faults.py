# SPDX-License-Identifier: Apache-2.0
"""Whatever fails and whenever: its own error comes out, no thread stays, nothing is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from datera_backup.container import (
    BackupReader,
    BackupUncommitted,
    Container,
    DamageKind,
    LayoutDamaged,
)
from datera_backup.engine import (
    BackupJob,
    EngineSettings,
    JobCancelled,
    RestoreJob,
    SinkTooSmall,
    SourceTruncated,
)
from tests.fixtures.containers.devices import FailAt, FailingDevice
from tests.fixtures.containers.moving import (
    BLOCK,
    FEW,
    BytesSource,
    MemorySink,
    TickingClock,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    reopened,
    restore,
    some_bytes,
    writer_for,
)

DATA = some_bytes(1, 24 * BLOCK + 5)
NEW = changed(DATA, 2, 12)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def with_parent() -> tuple[Container, BackupReader]:
    container = new_container(1)
    return container, back_up(container, 1, DATA)


def over(container: Container, hook: Callable[[str], None]) -> Container:
    device = FailingDevice(memory_of(container), hook)
    return Container.open(device, clock=TickingClock())


def fails(job: BackupJob | RestoreJob) -> bool:
    try:
        job.result()
    except OSError:
        return True
    except LayoutDamaged as damage:
        return damage.finding is DamageKind.UNREADABLE
    return False


class Switch:
    """A hook that does nothing until it is given one that does."""

    def __init__(self) -> None:
        self.hook: Callable[[str], None] = lambda _: None

    def __call__(self, kind: str) -> None:
        self.hook(kind)


def assert_only_the_parent_is_there(container: Container) -> None:
    opened = reopened(container)
    assert opened.committed == (identifier(1),)
    with pytest.raises(BackupUncommitted):
        opened.commit_of(identifier(2))
    assert restore(opened, 1) == DATA
    back_up(opened, 3, NEW)
    assert restore(opened, 3) == NEW


@pytest.mark.parametrize("kind", ["read", "write", "flush"])
def test_backup_onto_a_device_that_fails_once(kind: str) -> None:
    """What stands twice is read, and written, in the other place; all else ends the backup."""
    failed = survived = 0
    for at in range(1, 100):
        container, _ = with_parent()
        switch = Switch()
        failing = over(container, switch)
        parent = BackupReader(failing, identifier(1))
        job = BackupJob(BytesSource(NEW), writer_for(failing, 2, len(NEW), parent), FEW)
        switch.hook = failure = FailAt(kind, at=at)
        job.start()
        if not fails(job):
            assert restore(reopened(container), 2) == NEW
            if not failure.fired:
                break
            survived += 1
            continue
        failed += 1
        assert job.wait(0)
        assert_only_the_parent_is_there(container)
    assert survived >= 2
    assert failed >= {"read": 0, "write": 3, "flush": 1}[kind]


@pytest.mark.parametrize("kind", ["read", "write", "flush"])
def test_backup_onto_a_device_that_fails_from_then_on(kind: str) -> None:
    failed = 0
    for at in range(1, 100):
        container, _ = with_parent()
        switch = Switch()
        failing = over(container, switch)
        parent = BackupReader(failing, identifier(1))
        job = BackupJob(BytesSource(NEW), writer_for(failing, 2, len(NEW), parent), FEW)
        switch.hook = failure = FailAt(kind, at=at, lasting=True)
        job.start()
        if not fails(job):
            assert restore(reopened(container), 2) == NEW
            if not failure.fired:
                break
            continue
        failed += 1
        assert job.wait(0)
        if identifier(2) in reopened(container).committed:
            # The first of the two superblocks was written: it counts, whatever came after.
            assert restore(reopened(container), 2) == NEW
        else:
            assert_only_the_parent_is_there(container)
    assert failed >= 2


def test_a_source_that_fails_at_every_read() -> None:
    for at in range(1, 14):
        container, parent = with_parent()
        hook = FailAt("read", at=at)
        writer = writer_for(container, 2, len(NEW), parent)
        job = BackupJob(BytesSource(NEW, hook), writer, FEW)
        job.start()
        with pytest.raises(OSError, match="read failed"):
            job.result()
        assert job.wait(0)
        assert_only_the_parent_is_there(container)


def test_source_that_shrank_ends_the_backup() -> None:
    container, parent = with_parent()
    source = BytesSource(NEW)
    job = BackupJob(source, writer_for(container, 2, len(NEW), parent), FEW)
    source.data = NEW[:-1]
    job.start()
    with pytest.raises(SourceTruncated, match=f"{len(NEW)} bytes, but it ends at byte"):
        job.result()
    assert_only_the_parent_is_there(container)


@pytest.mark.parametrize("kind", ["write", "flush"])
def test_restore_onto_a_sink_that_fails(kind: str) -> None:
    _, reader = with_parent()
    failed = 0
    for at in range(1, 100):
        hook = FailAt(kind, at=at)
        sink = MemorySink(len(DATA), hook=hook)
        job = RestoreJob(reader, sink, write_zeros=True, settings=FEW)
        job.start()
        if not fails(job):
            assert bytes(sink.content) == DATA
            break
        failed += 1
        assert job.wait(0)
        assert not sink.flushed
    assert failed >= 1


def test_restore_from_a_device_that_fails_once_where_blocks_are_read_together() -> None:
    """A run that cannot be read is read again, block by block."""
    container, _ = with_parent()
    failed = 0
    for at in range(1, 100):
        switch = Switch()
        failing = over(container, switch)
        reader = BackupReader(failing, identifier(1))
        sink = MemorySink(len(DATA))
        job = RestoreJob(reader, sink, write_zeros=True, settings=FEW)
        switch.hook = failure = FailAt("read", at=at)
        job.start()
        if fails(job):
            failed += 1
            continue
        assert bytes(sink.content) == DATA
        if not failure.fired:
            break
    assert 0 < failed < at - 5


def test_restore_from_a_device_that_fails_from_then_on() -> None:
    container, _ = with_parent()
    failed = 0
    for at in range(1, 100):
        switch = Switch()
        failing = over(container, switch)
        reader = BackupReader(failing, identifier(1))
        sink = MemorySink(len(DATA))
        job = RestoreJob(reader, sink, write_zeros=True, settings=FEW)
        switch.hook = FailAt("read", at=at, lasting=True)
        job.start()
        if not fails(job):
            break
        failed += 1
        assert job.wait(0)
        assert not sink.flushed
    assert failed >= 5


def test_a_short_volume_is_refused_before_anything_is_written() -> None:
    _, reader = with_parent()
    sink = MemorySink(len(DATA) - 1)
    with pytest.raises(SinkTooSmall, match=f"has {len(DATA) - 1} bytes.* had {len(DATA)}"):
        RestoreJob(reader, sink, write_zeros=True)
    assert sink.written == []


class Gate:
    """A hook that lets some calls pass and then holds, until it is opened."""

    def __init__(self, passing: int) -> None:
        self._passing = passing
        self.held = threading.Event()
        self._opened = threading.Event()

    def __call__(self, kind: str) -> None:
        self._passing -= 1
        if self._passing < 0:
            self.held.set()
            assert self._opened.wait(30)

    def open(self) -> None:
        self._opened.set()


@pytest.mark.parametrize("passing", range(0, 12, 3))
def test_cancelled_backup_commits_nothing(passing: int) -> None:
    container, parent = with_parent()
    gate = Gate(passing)
    writer = writer_for(container, 2, len(NEW), parent)
    job = BackupJob(BytesSource(NEW, gate), writer, FEW)
    job.start()
    assert gate.held.wait(30)
    assert not job.wait(0)
    job.cancel()
    gate.open()
    with pytest.raises(JobCancelled):
        job.result()
    assert job.wait(0)
    assert job.progress.done < len(NEW)
    assert_only_the_parent_is_there(container)


def test_cancel_a_restore_whose_sink_is_slow() -> None:
    _, reader = with_parent()
    gate = Gate(1)
    sink = MemorySink(len(DATA), hook=gate)
    job = RestoreJob(reader, sink, write_zeros=True, settings=FEW)
    job.start()
    assert gate.held.wait(30)
    job.cancel()
    gate.open()
    with pytest.raises(JobCancelled):
        job.result()
    assert not sink.flushed


def test_cancelling_before_the_start_and_after_the_end() -> None:
    container, parent = with_parent()
    job = BackupJob(BytesSource(NEW), writer_for(container, 2, len(NEW), parent), FEW)
    job.cancel()
    job.start()
    with pytest.raises(JobCancelled):
        job.result()
    assert_only_the_parent_is_there(container)
    again = BackupJob(BytesSource(NEW), writer_for(container, 2, len(NEW), parent), FEW)
    again.start()
    commit = again.result()
    again.cancel()
    assert again.result() is commit


def test_a_job_runs_once() -> None:
    container, parent = with_parent()
    job = BackupJob(BytesSource(NEW), writer_for(container, 2, len(NEW), parent), FEW)
    with pytest.raises(RuntimeError, match="never started"):
        job.result()
    job.start()
    job.result()
    with pytest.raises(RuntimeError, match="before"):
        job.start()


@pytest.mark.parametrize("available", range(4))
def test_a_system_that_gives_no_more_threads(
    available: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, parent = with_parent()
    started: list[threading.Thread] = []

    class Scarce(threading.Thread):
        def start(self) -> None:
            if len(started) == available:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    job = BackupJob(BytesSource(NEW), writer_for(container, 2, len(NEW), parent), FEW)
    monkeypatch.setattr(threading, "Thread", Scarce)
    with pytest.raises(RuntimeError, match="can't start"):
        job.start()
    assert len(started) == available
    with pytest.raises(RuntimeError, match="can't start"):
        job.result()
    assert identifier(2) not in container.committed


def test_batches_under_way_are_bounded() -> None:
    """A writer that stands still stops the reader after as many batches as may be under way."""
    container = new_container(1)
    gate, switch = Gate(0), Switch()
    held = over(container, switch)
    data = some_bytes(3, 200 * BLOCK).replace(b"\0", b"\1")
    reads: list[str] = []
    writer = writer_for(held, 1, len(data))
    switch.hook = gate
    settings = EngineSettings(workers=2, depth=5, batch_size=BLOCK)
    job = BackupJob(BytesSource(data, reads.append), writer, settings)
    job.start()
    assert gate.held.wait(30)
    assert not job.wait(0.05)
    assert len(reads) <= 5 + 5 + 8
    gate.open()
    job.result()
    assert len(reads) == 200
