# SPDX-License-Identifier: Apache-2.0
"""A volume withdrawn from an abandoned operation, which then does nothing to it any more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backup_dispatch.calls.progress import WatchedFile
from backup_dispatch.calls.stall import Clock, Operation, Sight, Wait
from backup_dispatch.errors import BackendStalled
from datera_backup.engine import RbdSink, RbdSource, SinkUnwritable, open_sink, open_source
from tests.fixtures.containers.ceph_image import OBJECT, MemoryImage, NewerImage, wrapped

THREADS = 3


class Hanging:
    """Calls of an image hang from when :attr:`armed` is set until :attr:`free` is.

    :ivar entered: released by each call that hangs.
    :ivar calls: how many came.
    """

    def __init__(self) -> None:
        self.armed = False
        self.calls = 0
        self.entered = threading.Semaphore(0)
        self.free = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        if self.armed:
            self.entered.release()
            assert self.free.wait(60)

    def wait(self, calls: int = 1) -> None:
        """Wait until so many calls hang."""
        for _ in range(calls):
            assert self.entered.acquire(timeout=60)


def hanging_image(kind: type[MemoryImage], hanging: Hanging) -> MemoryImage:
    image = kind(4 * OBJECT)
    image.put(0, b"old" * OBJECT)
    for name in ("read", "write", "write_zeroes", "flush", "diff_iterate"):
        call = getattr(image, name, None)
        if call is not None:
            setattr(image, name, _delayed(call, hanging))
    return image


def _delayed(call: Callable[..., Any], hanging: Hanging) -> Callable[..., Any]:
    def delayed(*arguments: Any, **named: Any) -> Any:
        hanging()
        return call(*arguments, **named)

    return delayed


def reading(file: Any) -> Callable[[], None]:
    source = open_source(file)
    assert isinstance(source, RbdSource)
    return lambda: source.readinto(0, memoryview(bytearray(4096)))


def writing(file: Any) -> Callable[[], None]:
    sink = open_sink(file)
    assert isinstance(sink, RbdSink)
    return lambda: sink.write(0, [b"x" * 4096])


def zeroing(file: Any) -> Callable[[], None]:
    sink = open_sink(file)
    sink.write(0, [b"x" * 4096])
    sink.zero(0, 512)
    return lambda: sink.zero(0, 4096)


def flushing(file: Any) -> Callable[[], None]:
    return open_sink(file).flush


@pytest.mark.parametrize("kind", [MemoryImage, NewerImage])
@pytest.mark.parametrize("doing", [reading, writing, zeroing, flushing])
def test_calls_of_an_image_are_waited_for_and_none_begins_any_more(
    kind: type[MemoryImage], doing: Callable[[Any], Callable[[], None]]
) -> None:
    hanging = Hanging()
    operation = Operation("restore of backup b", "datera", Sight.ALL, Clock())
    call = doing(WatchedFile(wrapped(hanging_image(kind, hanging)), operation))
    hanging.armed = True
    with ThreadPoolExecutor(THREADS) as threads:
        ends = [threads.submit(call) for _ in range(THREADS)]
        hanging.wait(THREADS)
        assert operation.waits_for_the_volume
        assert operation.abandon()
        assert operation.waits_for_the_volume
        hanging.free.set()
        assert all("was ended" in str(one.exception(60)) for one in ends)
    assert not operation.waits_for_the_volume
    before = hanging.calls
    with pytest.raises(Exception, match="was ended"):
        call()
    assert hanging.calls == before


def test_question_for_an_images_data_is_waited_for() -> None:
    hanging = Hanging()
    operation = Operation("backup b", "datera", Sight.ALL, Clock())
    source = open_source(WatchedFile(wrapped(hanging_image(MemoryImage, hanging)), operation))  # type: ignore[arg-type]
    hanging.armed = True
    with ThreadPoolExecutor(1) as threads:
        end = threads.submit(list, source.extents())
        hanging.wait()
        operation.abandon()
        assert operation.waits_for_the_volume
        hanging.free.set()
        end.result(60)
    assert not operation.waits_for_the_volume


def test_image_is_handed_back_only_when_its_write_has_returned() -> None:
    hanging = Hanging()
    handed_back_after: list[bool] = []

    class Steps(Clock):
        """Time passes only by waiting, and not before the write hangs."""

        seconds = 0.0

        def now(self) -> float:
            return self.seconds

        def wait(self, event: threading.Event, seconds: float) -> bool:
            if not self.seconds:
                hanging.wait()
            elif operation._abandoned:
                hanging.free.set()
                handed_back_after.append(event.wait(60))
            self.seconds += seconds
            return event.is_set()

    clock = Steps()
    operation = Operation("restore of backup b", "datera", Sight.ALL, clock)
    image = hanging_image(NewerImage, hanging)
    call = writing(WatchedFile(wrapped(image), operation))
    hanging.armed = True
    with pytest.raises(BackendStalled, match=r"waiting for its volume: .*'writing the"):
        Wait[None](operation, timeout=60, clock=clock).run(call)
    assert handed_back_after == [True]
    with pytest.raises(SinkUnwritable):
        call()
    assert len(image.writes) == 1
