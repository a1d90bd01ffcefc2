# SPDX-License-Identifier: Apache-2.0
"""Volumes in Ceph hold what the image holds, and what is reported of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.ceph import volumes
from bench.ceph.images import MIB, PIECE, fill, holds, places
from datera_backup.engine import FileSource

OBJECT = 4 * MIB


class FakeImage:
    """An image of librbd, which stores whole objects where something was written."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.objects: dict[int, bytearray] = {}

    def size(self) -> int:
        return self._size

    def write(self, data: bytes, offset: int) -> None:
        number, within = divmod(offset, OBJECT)
        room = self.objects.setdefault(number, bytearray(OBJECT))
        room[within : within + len(data)] = data

    def read(self, offset: int, length: int) -> bytes:
        number, within = divmod(offset, OBJECT)
        return bytes(self.objects.get(number, bytes(OBJECT))[within : within + length])

    def flush(self) -> None:
        pass

    def diff_iterate(
        self, _start: int, _size: int, _snap: None, tell: Callable[[int, int, bool], Any]
    ) -> None:
        for number in sorted(self.objects):
            tell(number * OBJECT, OBJECT, True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    with path.open("wb") as file:
        for at in (0, 5 * MIB, PIECE + 3 * MIB):
            file.seek(at)
            file.write(bytes([at // MIB + 1]) * MIB)
        file.truncate(2 * PIECE)
    return path


def test_pieces_of_the_image_are_spread_over_the_volume(path: Path) -> None:
    with path.open("rb") as file:
        found = list(places(FileSource(file), 20 * PIECE))
        same = list(places(FileSource(file), 2 * PIECE))
    assert found == [
        (0, 0, MIB),
        (5 * MIB, 5 * MIB, MIB),
        (PIECE + 3 * MIB, 10 * PIECE + 3 * MIB, MIB),
    ]
    assert [at == there for at, there, _ in same] == [True] * 3


def test_a_volume_that_was_filled_holds_the_image(path: Path) -> None:
    image = FakeImage(20 * PIECE)
    fill(image, path)
    assert sorted(image.objects) == [0, 1, 10 * PIECE // OBJECT]
    assert holds(image, path)


@pytest.mark.parametrize(
    "at", [5 * MIB + 7, 4 * MIB, 9 * PIECE], ids=["wrong", "too much", "elsewhere"]
)
def test_a_volume_that_differs_is_found_out(path: Path, at: int) -> None:
    image = FakeImage(20 * PIECE)
    fill(image, path)
    image.write(b"x", at)
    assert not holds(image, path)


def figures(*seconds: float) -> list[dict[str, float]]:
    return [{"seconds": each, "memory": 30e6} for each in seconds]


def test_the_large_volume_is_held_against_the_others_of_the_same_run() -> None:
    found: list[dict[str, Any]] = [
        {"volume": "file", "driver": "datera", "steps": {"full": figures(2.0, 4.0, 2.0)}},
        {"volume": "small", "driver": "datera", "steps": {"full": figures(3.0, 3.0, 3.0)}},
        {"volume": "large", "driver": "datera", "steps": {"full": figures(3.0, 4.0, 6.0)}},
        {"volume": "large", "driver": "ceph", "steps": {"full": figures(9.0, 8.0, 6.0)}},
    ]
    for row in found:
        row["bytes"] = (100 if row["volume"] == "large" else 2) << 30
    beside_file, beside_small, beside_ceph = volumes.ratios(found)
    assert [beside_file[k] for k in ("min", "median", "max")] == [1.0, 1.5, 3.0]
    assert beside_small["median"] == pytest.approx(4 / 3)
    assert [beside_ceph[k] for k in ("min", "median", "max")] == [1.0, 2.0, 3.0]
    text = volumes.table(found)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert ["large, 100 GiB", "datera", "4.00", "-", "-", "30 MB"] in rows
    assert ["large, 100 GiB", "ceph", "8.00", "-", "-", "-"] in rows
    assert ["large beside file", "1.0", "1.5", "3.0", "at most 1.5"] in rows
    assert ["large, ceph's beside datera's", "1.0", "2.0", "3.0", "at least 2"] in rows
    assert max(map(len, text.splitlines())) <= 80
