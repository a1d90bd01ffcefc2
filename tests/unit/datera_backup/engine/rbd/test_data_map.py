# SPDX-License-Identifier: Apache-2.0
"""Where a volume may hold data: nothing is forgotten, and the memory has a bound."""

from __future__ import annotations

import sys
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from datera_backup.engine.rbd.data_map import DataMap

UNIT = 64 << 10
SIZE = 20 * UNIT + 5
offsets = st.integers(0, SIZE + UNIT)
spans = st.tuples(offsets, offsets).map(lambda pair: (min(pair), max(pair)))


@given(st.lists(spans, max_size=5), spans)
def test_marked_ranges_come_back_in_order(
    marked: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    found = DataMap(SIZE)
    for start, end in marked:
        found.mark(start, end)
    ranges = list(found.ranges(*asked))
    for start, end in marked:
        # Each byte that was marked and asked for, by the borders of where it can be.
        low, high = max(start, asked[0]), min(end, asked[1], SIZE)
        if low < high:
            assert any(first <= low and high <= last for first, last in ranges)
    assert all(asked[0] <= first < last <= min(asked[1], SIZE) for first, last in ranges)
    assert all(last < first for (_, last), (first, _) in pairwise(ranges))
    near = [(start - start % UNIT, end + -end % UNIT) for start, end in marked if start < end]
    assert all(any(a < last and first < b for a, b in near) for first, last in ranges)


def test_a_map_of_a_huge_volume_takes_a_few_mebibytes() -> None:
    size = 16 << 40
    found = DataMap(size)
    for offset in (1 << 40, 7 << 40, size - 1):
        found.mark(offset, offset + 1)
    ranges = list(found.ranges())
    assert sum(end - start for start, end in ranges) == 3 * (4 << 20)
    assert [start for start, _ in ranges] == [1 << 40, 7 << 40, size - (4 << 20)]
    assert sys.getsizeof(found._marks) < 5 << 20


def test_an_empty_volume_has_no_ranges() -> None:
    found = DataMap(0)
    found.mark(0, 1)
    assert list(found.ranges()) == []
