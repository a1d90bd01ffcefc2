# SPDX-License-Identifier: Apache-2.0
"""What lies behind a volume's end is read to its end, or to the first byte that is not zero."""

from __future__ import annotations

import tracemalloc

import pytest

from datera_backup.engine import EngineSettings, SurplusJob
from tests.fixtures.containers.moving import BLOCK, FEW, SparseSource

MIB = 1 << 20
START = 5 * BLOCK


def first_byte(
    source: SparseSource, start: int = START, settings: EngineSettings = FEW
) -> int | None:
    job = SurplusJob(source, start, settings)
    job.start()
    return job.result()


@pytest.mark.parametrize(
    "at", [START, START + 1, START + 2 * BLOCK - 1, START + 2 * BLOCK, 20 * BLOCK - 1]
)
def test_the_first_byte_that_is_not_zero_is_found_wherever_it_is(at: int) -> None:
    source = SparseSource(20 * BLOCK, {0: b"x" * START, at: b"\1"})
    assert first_byte(source) == at


def test_first_of_several_nonzero_bytes_is_reported() -> None:
    source = SparseSource(99 * BLOCK, {at * BLOCK + 7: b"y" for at in (9, 10, 40, 98)})
    assert first_byte(source) == 9 * BLOCK + 7


def test_zeros_are_nothing_whatever_the_volume_holds_before_them() -> None:
    source = SparseSource(20 * BLOCK + 5, {0: b"x" * START, 6 * BLOCK: bytes(14 * BLOCK + 5)})
    assert first_byte(source) is None


def test_a_hole_of_a_tebibyte_is_not_read() -> None:
    assert first_byte(SparseSource(1 << 40, {0: b"x"})) is None


def test_memory_does_not_grow_with_the_surplus() -> None:
    class Zeros(SparseSource):
        def readinto(self, offset: int, buffer: memoryview) -> None:
            buffer[:] = bytes(len(buffer))

        def extents(self) -> object:  # type: ignore[override]
            yield 0, self.size

    settings = EngineSettings(workers=1, depth=3, batch_size=64 * BLOCK)
    tracemalloc.start()
    try:
        assert first_byte(Zeros(256 * MIB, {}), settings=settings) is None
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB
    finally:
        tracemalloc.stop()


def test_nothing_is_read_before_the_surplus_and_little_after_what_was_found() -> None:
    class Noting(SparseSource):
        def __init__(self) -> None:
            super().__init__(1000 * BLOCK, {0: b"x" * (1000 * BLOCK)})
            self.reads: list[int] = []

        def readinto(self, offset: int, buffer: memoryview) -> None:
            self.reads.append(offset)
            buffer[:] = b"x" * len(buffer)

    source = Noting()
    assert first_byte(source) == START
    assert min(source.reads) == START
    assert len(source.reads) <= FEW.batches + 1
