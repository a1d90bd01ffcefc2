# SPDX-License-Identifier: Apache-2.0
"""A backup's data as the file of a volume."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from backup_dispatch.drivers.readers.missing import Missing
from backup_dispatch.jobs.copying.volume_file import BackupFile, DataMissing

CONTENT = random.Random(1).randbytes(1000) + bytes(1000) + b"end"


class Data:
    """A backup in memory.

    :ivar bad: bytes of it that are damaged.
    """

    def __init__(self, bad: range = range(0)) -> None:
        self.size = len(CONTENT)
        self.bad = bad
        self.error: Exception | None = None

    def extents(self) -> Iterator[tuple[int, int]]:
        yield 0, 1000
        yield 2000, 3

    def read_into(self, offset: int, buffer: memoryview) -> list[Missing]:
        if self.error:
            raise self.error
        assert offset + len(buffer) <= self.size
        buffer[:] = CONTENT[offset : offset + len(buffer)]
        wrong = range(max(self.bad.start, offset), min(self.bad.stop, offset + len(buffer)))
        return [Missing(wrong.start, len(wrong), "its digest differs")] if wrong else []

    def close(self) -> None:
        pass


def opened(data: Data, size: int = 0) -> tuple[BackupFile, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return BackupFile(data, lambda done, total: told.append((done, total)), size), told


def test_it_reads_as_a_file_of_the_volume_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backup_dispatch.jobs.copying.volume_file.PIECE", 256)
    file, told = opened(Data())
    assert (file.read(), file.read(), file.read(5)) == (CONTENT, b"", b"")
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert file.seek(-3, os.SEEK_END) == 2000 == file.tell()
    assert file.read(100) == b"end"
    assert file.seek(990) == 990
    assert file.seek(5, os.SEEK_CUR) == 995
    room = bytearray(10)
    assert file.readinto(room) == 10
    assert room == CONTENT[995:1005]
    with pytest.raises(OSError, match="no descriptor"):
        file.fileno()


def test_beyond_the_data_a_larger_volume_is_zeros() -> None:
    file, _ = opened(Data(), size=3000)
    assert file.read() == CONTENT.ljust(3000, b"\0")
    assert file.size == 3000
    assert list(file.extents()) == [(0, 1000), (2000, 3)]


def test_damage_is_raised_and_kept() -> None:
    file, _ = opened(Data(bad=range(500, 510)))
    assert file.read(500) == CONTENT[:500]
    with pytest.raises(DataMissing, match="bytes 500 to 510: its digest differs"):
        file.read(500)
    assert [(one.offset, one.length) for one in file.damage] == [(500, 10)]
    assert file.failure is None


def test_an_outage_is_kept_apart_from_damage() -> None:
    data = Data()
    data.error = ConnectionError("refused")
    file, _ = opened(data)
    with pytest.raises(ConnectionError):
        file.read(10)
    assert (file.damage, file.failure) == ([], data.error)


def test_comparing_notices_other_bytes_and_an_early_end() -> None:
    file, _ = opened(Data())
    assert file.holds_at(0, CONTENT[:1500])
    assert not file.holds_at(10, b"x" * 10)
    assert file.not_compared() == ["it ends at byte 1500, and the volume's data at byte 2003"]
    assert file.holds_at(1500, CONTENT[1500:])
    assert file.not_compared() == []
