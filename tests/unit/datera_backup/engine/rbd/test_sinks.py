# SPDX-License-Identifier: Apache-2.0
"""A volume in Ceph that is written: zeros only where there is data, errors placed."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from datera_backup.container import BackupReader, Container, NewBackup, notices
from datera_backup.engine import BackupJob, RbdSink, RestoreJob, SinkNotDurable, SinkUnwritable
from tests.fixtures.containers.ceph_image import OBJECT, CephError, MemoryImage, NewerImage, wrapped
from tests.fixtures.containers.devices import MemoryDevice
from tests.fixtures.containers.moving import BytesSource, identifier

UNIT = 64 << 10
SIZE = 40 * OBJECT


def test_zeros_go_where_there_is_data_and_nowhere_else() -> None:
    image = NewerImage(SIZE)
    image.put(3 * OBJECT + 10, b"x" * OBJECT)
    image.put(9 * OBJECT, b"y")
    sink = RbdSink(wrapped(image))
    sink.zero(0, 3 * OBJECT + 20)
    sink.zero(3 * OBJECT + 20, SIZE - 3 * OBJECT - 20)
    assert image.zeroed == [
        (3 * OBJECT, 20),
        (3 * OBJECT + 20, 2 * OBJECT - 20),
        (9 * OBJECT, OBJECT),
    ]
    assert image.content(0, SIZE) == bytes(SIZE)
    assert (image.writes, image.questions) == ([], 1)


def test_long_ranges_are_zeroed_in_pieces() -> None:
    image = NewerImage(SIZE)
    for number in range(SIZE // OBJECT):
        image.put(number * OBJECT, b"x")
    RbdSink(wrapped(image)).zero(100, SIZE - 200)
    assert [length for _, length in image.zeroed] == [4 * OBJECT] * 9 + [4 * OBJECT - 200]
    assert image.content(0, 1) + image.content(100, SIZE - 100) == b"x" + bytes(SIZE - 100)


def test_a_release_that_cannot_zero_gets_zeros() -> None:
    image = MemoryImage(SIZE)
    image.put(2 * OBJECT, b"x" * 3 * OBJECT)
    RbdSink(wrapped(image)).zero(2 * OBJECT + 5, 2 * OBJECT)
    assert image.content(0, SIZE) == bytes(2 * OBJECT) + b"x" * 5 + bytes(2 * OBJECT) + (
        b"x" * (OBJECT - 5) + bytes(35 * OBJECT)
    )
    assert image.writes == [(2 * OBJECT + 5, 2 * OBJECT)]


def test_what_was_written_through_the_sink_is_zeroed_too() -> None:
    image = NewerImage(SIZE)
    sink = RbdSink(wrapped(image))
    sink.write(OBJECT, [b"before"])
    sink.zero(0, UNIT)
    sink.write(5 * OBJECT, [b"after", memoryview(b"wards")])
    assert image.content(5 * OBJECT, 10) == b"afterwards"
    sink.zero(0, SIZE)
    assert image.content(0, SIZE) == bytes(SIZE)


def test_a_volume_that_is_not_zeroed_is_not_asked() -> None:
    image = NewerImage(SIZE)
    sink = RbdSink(wrapped(image))
    sink.write(7, [b"a", b"b"])
    sink.flush()
    assert (image.questions, image.writes) == (0, [(7, 2)])


def test_a_volume_that_does_not_tell_is_zeroed_whole() -> None:
    image = NewerImage(SIZE)
    image.untold = CephError("error generating diff")
    notices.told()
    sink = RbdSink(wrapped(image))
    sink.zero(0, OBJECT)
    sink.zero(OBJECT, OBJECT)
    assert image.zeroed == [(0, OBJECT), (OBJECT, OBJECT)]
    assert image.questions == len(notices.told()) == 1


def test_threads_that_zero_and_write_at_once_share_one_question() -> None:
    together = threading.Barrier(2, timeout=60)

    class Image(NewerImage):
        def write(self, data: bytes, offset: int) -> int:
            together.wait()
            return super().write(data, offset)

        def write_zeroes(self, offset: int, length: int) -> None:
            together.wait()
            super().write_zeroes(offset, length)

    image = Image(SIZE)
    image.put(0, b"x" * 8 * OBJECT)
    sink = RbdSink(wrapped(image))
    with ThreadPoolExecutor(8) as threads:
        zeroing = [threads.submit(sink.zero, n * OBJECT, OBJECT) for n in range(4)]
        writing = [threads.submit(sink.write, n * OBJECT, [b"z" * OBJECT]) for n in range(4, 8)]
        for one in (*zeroing, *writing):
            one.result()
    assert image.questions == 1
    assert image.content(0, 8 * OBJECT) == bytes(4 * OBJECT) + b"z" * 4 * OBJECT


def test_a_volume_that_is_withdrawn_is_not_written_any_more() -> None:
    """As the dispatcher does when it abandons an operation that has hung."""
    image = NewerImage(SIZE)
    image.put(0, b"x")
    file = Withdrawable(image)
    sink = RbdSink(file)
    sink.zero(OBJECT, OBJECT)
    file.withdrawn = True
    with pytest.raises(SinkUnwritable, match="abandoned"):
        sink.write(0, [b"late"])
    with pytest.raises(SinkUnwritable, match="abandoned"):
        sink.zero(0, OBJECT)
    with pytest.raises(SinkNotDurable, match="abandoned"):
        sink.flush()
    assert (image.writes, image.zeroed) == ([], [])


class Withdrawable:
    """A file object whose image can be withdrawn."""

    def __init__(self, image: MemoryImage) -> None:
        self._image = image
        self.withdrawn = False

    @property
    def rbd_image(self) -> MemoryImage:
        if self.withdrawn:
            raise CephError("the operation is abandoned")
        return self._image


@pytest.mark.parametrize("kind", [MemoryImage, NewerImage])
def test_errors_have_their_place(kind: type[MemoryImage]) -> None:
    image = kind(SIZE)
    image.put(0, b"x" * 17 * OBJECT)
    image.bad = 16 * OBJECT + 3
    sink = RbdSink(wrapped(image))
    with pytest.raises(SinkUnwritable, match="CephError: error") as told:
        sink.zero(0, SIZE)
    assert told.value.offset == 16 * OBJECT
    with pytest.raises(SinkUnwritable, match="CephError: error writing image") as told:
        sink.write(16 * OBJECT, [b"12", b"34"])
    assert told.value.offset == 16 * OBJECT
    image.bad = 0
    with pytest.raises(SinkNotDurable, match="CephError: error flushing image"):
        sink.flush()


def test_a_restore_makes_eight_requests_to_an_image_at_once() -> None:
    size = OBJECT
    container = Container.format(MemoryDevice(96 << 20), identifier(1))
    new = NewBackup(identifier(1), "v", size)
    job = BackupJob(BytesSource(random.Random(1).randbytes(size)), container.begin(new, living=()))
    job.start()
    job.result()
    restoring = RestoreJob(
        BackupReader(container, identifier(1)),
        RbdSink(wrapped(MemoryImage(size))),
        write_zeros=True,
    )
    assert restoring._settings.requests == 8
