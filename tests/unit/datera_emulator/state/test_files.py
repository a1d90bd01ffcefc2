# SPDX-License-Identifier: Apache-2.0
"""Sparse files stay sparse, and copies are copies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datera_emulator.state import files
from datera_emulator.state.files import DataFiles

MIB = 1 << 20


@pytest.fixture
def data(tmp_path: Path) -> DataFiles:
    return DataFiles(tmp_path / "data")


def put(data: DataFiles, name: str, offset: int, content: bytes) -> None:
    with data.path(name).open("r+b") as file:
        file.seek(offset)
        file.write(content)
        os.fsync(file.fileno())


def test_a_new_file_has_its_size_and_no_blocks(data: DataFiles) -> None:
    name = data.create(64 * MIB)
    assert data.path(name).stat().st_size == 64 * MIB
    assert data.used(name) == 0


def test_a_copy_has_the_same_bytes_and_keeps_holes(data: DataFiles) -> None:
    source = data.create(64 * MIB)
    put(data, source, 0, b"begin" * 1000)
    put(data, source, 40 * MIB, os.urandom(MIB))
    copy = data.copy(source, 64 * MIB)
    assert data.path(copy).read_bytes() == data.path(source).read_bytes()
    assert data.used(copy) <= data.used(source) < 2 * MIB
    put(data, source, 0, b"other")
    assert data.path(copy).read_bytes()[:5] == b"begin"


@pytest.mark.parametrize("missing", ["copy_file_range", "nothing"])
def test_copy_works_without_reflinks_or_copy_file_range(
    data: DataFiles, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    source = data.create(4 * MIB)
    content = os.urandom(MIB + 5)
    put(data, source, 2 * MIB, content)

    def lack(*_: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.ioctl", lack)
    if missing == "copy_file_range":
        monkeypatch.setattr(os, "copy_file_range", lack)
    copy = data.copy(source, 4 * MIB)
    assert data.path(copy).read_bytes()[2 * MIB :][: len(content)] == content
    assert data.used(copy) < 2 * MIB


def test_a_copy_may_be_larger_and_ends_with_a_hole(data: DataFiles) -> None:
    source = data.create(MIB)
    put(data, source, MIB - 3, b"end")
    copy = data.copy(source, 8 * MIB)
    content = data.path(copy).read_bytes()
    assert content[MIB - 3 : MIB] == b"end"
    assert len(content) == 8 * MIB
    assert not any(content[MIB:])


def test_a_copy_that_fails_leaves_nothing_behind(
    data: DataFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = data.create(MIB)

    def fail(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "clone_range", fail)
    with pytest.raises(OSError, match="No space"):
        data.copy(source, MIB)
    assert list(data.names()) == [source]


def test_deleting_a_file_twice_is_allowed(data: DataFiles) -> None:
    name = data.create(1)
    data.delete(name)
    data.delete(name)
    assert list(data.names()) == []
