# SPDX-License-Identifier: Apache-2.0
"""A volume in Ceph that is read: only where it may hold data, by several threads, errors placed."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from os_brick.initiator.linuxrbd import RBDImageMetadata, RBDVolumeIOWrapper

from datera_backup.container import BackupReader, Container, NewBackup, notices
from datera_backup.engine import (
    BackupJob,
    ObjectSink,
    ObjectSource,
    RbdSink,
    RbdSource,
    SourceTruncated,
    SourceUnreadable,
    open_sink,
    open_source,
)
from tests.fixtures.containers.ceph_image import OBJECT, CephError, MemoryImage, NewerImage, wrapped
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import identifier, restore_onto

MIB = 1 << 20
TIB = 1 << 40


def read(source: RbdSource, offset: int, length: int) -> bytes:
    buffer = bytearray(length)
    source.readinto(offset, memoryview(buffer))
    return bytes(buffer)


def test_an_image_is_recognised_behind_os_bricks_wrapper() -> None:
    image = MemoryImage(9 * OBJECT)
    source = open_source(wrapped(image))
    assert isinstance(source, RbdSource)
    assert source.size == 9 * OBJECT
    sink = open_sink(wrapped(image))
    assert isinstance(sink, RbdSink)
    assert sink.size == 9 * OBJECT


def test_a_wrapper_of_anything_else_stays_a_file_object() -> None:
    class Other:
        def size(self) -> int:
            return 5

    class Broken(RBDVolumeIOWrapper):
        @property
        def rbd_image(self) -> object:
            raise CephError("no image")

        def close(self) -> None:
            """Leave it."""

    other = wrapped(Other())
    other.close = lambda: None
    for file in (other, Broken(RBDImageMetadata(MemoryImage(5), "", "", ""))):
        assert isinstance(open_source(file), ObjectSource)
        assert isinstance(open_sink(file), ObjectSink)


def test_a_wrapper_that_nobody_else_holds_keeps_its_image_open() -> None:
    closed: list[bool] = []

    class Image(MemoryImage):
        def close(self) -> None:
            closed.append(True)

    source, sink = open_source(wrapped(Image(OBJECT))), open_sink(wrapped(Image(OBJECT)))
    assert not closed
    del source, sink
    assert closed == [True, True]


def test_a_tebibyte_is_read_where_its_objects_are() -> None:
    class Image(NewerImage):
        def read(self, offset: int, length: int) -> bytes:
            assert offset // OBJECT in self.objects
            return super().read(offset, length)

    rng = random.Random(3)
    image = Image(TIB)
    pieces = {n * OBJECT + 70_001: rng.randbytes(5000) for n in rng.sample(range(TIB // OBJECT), 9)}
    pieces[TIB - 1000] = rng.randbytes(1000)
    for offset, data in pieces.items():
        image.put(offset, data)
    container = Container.format(MemoryDevice(64 * MIB), identifier(1))
    new = NewBackup(identifier(1), "v", TIB)
    job = BackupJob(open_source(wrapped(image)), container.begin(new, living=()))
    job.start()
    assert job.result().source_size == TIB
    assert sum(length for _, length in image.reads) == 10 * OBJECT
    assert image.questions == 1

    target = NewerImage(TIB)
    target.put(5 * OBJECT, b"old" * 1000)
    restore_onto(BackupReader(container, identifier(1)), RbdSink(wrapped(target)))
    assert all(target.content(at, len(data)) == data for at, data in pieces.items())
    assert target.content(5 * OBJECT, OBJECT) == image.content(5 * OBJECT, OBJECT)
    assert sum(length for _, length in target.writes) <= 11 * 2 * 65536


def test_extents_are_merged_and_in_order_however_they_are_reported() -> None:
    image = MemoryImage(9 * OBJECT + 100)
    for number in (2, 3, 7, 9):
        image.put(number * OBJECT, b"x")
    assert list(RbdSource(wrapped(image)).extents()) == [
        (2 * OBJECT, 4 * OBJECT),
        (7 * OBJECT, 8 * OBJECT),
        (9 * OBJECT, 9 * OBJECT + 100),
    ]
    assert list(RbdSource(wrapped(image), size=3 * OBJECT + 9).extents()) == [
        (2 * OBJECT, 3 * OBJECT + 9)
    ]


def test_what_ceph_does_not_tell_is_read() -> None:
    image = MemoryImage(9 * OBJECT)
    image.put(0, b"x")
    image.untold = CephError("error generating diff")
    notices.told()
    assert list(RbdSource(wrapped(image)).extents()) == [(0, 9 * OBJECT)]
    (notice,) = notices.told()
    assert notice == (
        "Ceph does not report which parts of volume-7 hold data, so that all of it counts as data: "
        "CephError: error generating diff"
    )


def test_an_image_that_is_withdrawn_is_not_blamed_on_ceph() -> None:
    class Withdrawn:
        rbd_image = MemoryImage(OBJECT)

    file = Withdrawn()
    source = RbdSource(file)
    del Withdrawn.rbd_image
    notices.told()
    assert list(source.extents()) == [(0, OBJECT)]
    assert notices.told() == []
    with pytest.raises(SourceUnreadable):
        read(source, 0, 10)


def test_an_image_that_is_withdrawn_while_it_is_asked_is_not_blamed_on_ceph() -> None:
    class Asked(MemoryImage):
        def diff_iterate(self, *_: Any, **__: Any) -> None:
            del Withdrawn.rbd_image
            raise RuntimeError("the operation has ended")

    class Withdrawn:
        rbd_image = Asked(OBJECT)

    source = RbdSource(Withdrawn())
    notices.told()
    assert list(source.extents()) == [(0, OBJECT)]
    assert notices.told() == []


def test_an_image_that_is_being_migrated_is_read_whole() -> None:
    image = MemoryImage(9 * OBJECT)
    image.feature_bits = 0b100000111101
    assert list(RbdSource(wrapped(image)).extents()) == [(0, 9 * OBJECT)]
    assert image.questions == 0
    image.feature_bits = 0b000000111101
    assert list(RbdSource(wrapped(image)).extents()) == []


def test_an_image_that_has_shrunk_is_no_volume_with_a_hole() -> None:
    image = MemoryImage(9 * OBJECT)
    source = RbdSource(wrapped(image))
    image.resize(8 * OBJECT)
    assert list(source.extents()) == [(8 * OBJECT, 9 * OBJECT)]
    with pytest.raises(SourceTruncated, match=f"ends at byte {8 * OBJECT}"):
        read(source, 7 * OBJECT, 2 * OBJECT)


def test_short_reads_are_completed_and_an_error_has_its_place() -> None:
    image = MemoryImage(9 * OBJECT)
    data = random.Random(5).randbytes(5000)
    image.put(OBJECT - 2500, data)
    image.at_once = 1000
    source = RbdSource(wrapped(image))
    assert read(source, OBJECT - 2500, 5000) == data
    image.bad = OBJECT
    with pytest.raises(SourceUnreadable, match="CephError: error reading image") as told:
        read(source, OBJECT - 2500, 5000)
    assert told.value.offset == OBJECT - 500
    assert isinstance(told.value.__cause__, CephError)


def test_an_image_without_a_size_is_unreadable() -> None:
    class Sizeless(MemoryImage):
        def size(self) -> int:
            raise CephError("error getting size")

    with pytest.raises(SourceUnreadable, match="at byte 0: CephError: error getting size"):
        open_source(wrapped(Sizeless(OBJECT)))


def test_several_threads_read_an_image_at_once() -> None:
    together = threading.Barrier(3, timeout=60)

    class Image(MemoryImage):
        def read(self, offset: int, length: int) -> bytes:
            together.wait()
            return super().read(offset, length)

    image = Image(9 * OBJECT)
    image.put(0, random.Random(8).randbytes(3000))
    source = RbdSource(wrapped(image))
    with ThreadPoolExecutor(3) as threads:
        parts = threads.map(lambda at: read(source, at, 1000), (0, 1000, 2000))
        assert b"".join(parts) == image.content(0, 3000)


def test_a_backup_makes_eight_reads_of_an_image_at_once() -> None:
    together, under_way, most = threading.Barrier(8, timeout=60), 0, 0
    lock = threading.Lock()

    class Image(MemoryImage):
        def read(self, offset: int, length: int) -> bytes:
            nonlocal under_way, most
            with lock:
                under_way += 1
                most = max(most, under_way)
            together.wait()
            with lock:
                under_way -= 1
            return super().read(offset, length)

    image = Image(16 * OBJECT)
    image.put(0, b"x" * 16 * OBJECT)
    container = Container.format(MemoryDevice(96 * MIB), identifier(1))
    new = NewBackup(identifier(1), "v", 16 * OBJECT)
    job = BackupJob(RbdSource(wrapped(image)), container.begin(new, living=()))
    job.start()
    assert job.result().source_size == 16 * OBJECT
    assert (len(image.reads), most) == (64, 8)
