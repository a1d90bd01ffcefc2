# SPDX-License-Identifier: Apache-2.0
"""What a driver is shown of a volume's file, and what is seen of what it does with it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.calls.progress import WatchedFile, watched
from backup_dispatch.calls.stall import Abandoned, Clock, Operation, Sight


def operation_of(sight: Sight = Sight.FIRST_MOVES) -> Operation:
    return Operation("restore of backup b", "east", sight, Clock())


def test_file_looks_like_what_it_wraps() -> None:
    file: Any = WatchedFile(io.BytesIO(b"volume"), operation_of())
    assert isinstance(file, io.BytesIO)
    assert not hasattr(file, "rbd_image")
    assert (file.read(3), file.tell(), file.seek(0), file.seekable()) == (b"vol", 3, 0, True)
    assert (file.write(b"V"), file.getvalue()) == (1, b"Volume")


def test_descriptor_leads_nowhere_once_the_operation_is_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "volume"
    path.write_bytes(b"mine")
    operation = operation_of()
    with open(path, "r+b") as volume:
        file = WatchedFile(volume, operation)
        descriptor = file.fileno()
        os.pwrite(descriptor, b"M", 0)
    # Closed by Cinder, and its number is another file's by now.
    assert operation.abandon()
    assert os.pwrite(descriptor, b"late", 0) == 4
    assert os.pread(descriptor, 4, 0) == b""
    assert path.read_bytes() == b"Mine"
    with pytest.raises(Abandoned):
        file.fileno()
    file.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("write", (b"x",)), ("seek", (0,)), ("read", (1,)), ("flush", ()), ("tell", ()),
     ("truncate", (0,)), ("readinto", (bytearray(1),))],
)  # fmt: skip
def test_abandoned_operation_is_refused_every_use_of_the_volume(
    call: str, arguments: tuple[Any, ...]
) -> None:
    volume = io.BytesIO(b"mine")
    operation = operation_of()
    file = WatchedFile(volume, operation)
    operation.abandon()
    with pytest.raises(Abandoned):
        getattr(file, call)(*arguments)
    assert volume.getvalue() == b"mine"


@pytest.mark.parametrize(
    ("sight", "seen"), [(Sight.ALL, True), (Sight.MOVES, True), (Sight.FIRST_MOVES, False)]
)
def test_end_of_the_volume_ends_what_is_seen_of_unknown_drivers(sight: Sight, seen: bool) -> None:
    operation = operation_of(sight)
    file = WatchedFile(io.BytesIO(b"x"), operation)
    file.read(1)
    assert operation.seen
    file.read(1)
    assert operation.seen is seen


def test_image_below_the_file_is_out_of_sight_until_the_next_move() -> None:
    class Image(io.BytesIO):
        rbd_image = object()

    operation = operation_of(Sight.MOVES)
    file: Any = WatchedFile(Image(b"volume"), operation)
    file.read(1)
    assert hasattr(file, "rbd_image")
    assert not operation.seen
    file.seek(0)
    assert not operation.seen
    file.read(1)
    assert operation.seen


def test_image_looks_like_what_it_wraps() -> None:
    class Image:
        name = "volume-v"

        def size(self) -> int:
            return 5

    class File(io.BytesIO):
        rbd_image = Image()

    operation = operation_of()
    image: Any = WatchedFile(File(), operation).rbd_image
    assert isinstance(image, Image)
    assert (image.name, image.size()) == ("volume-v", 5)
    assert not hasattr(image, "write_zeroes")
    assert operation.last[0] == "calling size of the volume's image"
    operation.abandon()
    with pytest.raises(Abandoned):
        image.size()
    with pytest.raises(Abandoned):
        _ = image.name


def test_driver_that_reports_is_seen_and_is_told_of_its_end() -> None:
    class Reporting:
        def put_metadata(self, volume_id: str, metadata: str) -> None:
            raise AssertionError(volume_id)

        def report_progress_to(self, tell: Any) -> None:
            self.tell = tell

    driver, operation = Reporting(), operation_of()
    with watched(driver, operation):
        operation.lost_sight()
        driver.tell("reading tape 7")
        operation.lost_sight()
        assert (operation.seen, operation.last[0]) == (True, "reading tape 7")
        operation.abandon()
        with pytest.raises(Abandoned):
            driver.tell("reading tape 8")
        with pytest.raises(Abandoned):
            driver.put_metadata("volume", "{}")
    with pytest.raises(AssertionError):
        driver.put_metadata("volume", "{}")
