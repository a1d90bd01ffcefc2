# SPDX-License-Identifier: Apache-2.0
"""What a newer backup wrote hides what older ones have, byte by byte as a restore would."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_dispatch.drivers.readers.overlay import Overlay
from backup_dispatch.drivers.readers.stored import Stored

SIZE = 40

Layer = list[tuple[int, int]]


def layers() -> st.SearchStrategy[list[Layer]]:
    edges = st.lists(st.integers(0, SIZE), unique=True, max_size=10).map(sorted)
    # Two edges each: ranges that do not overlap, some of them neighbours.
    every_other = edges.map(lambda found: list(zip(found[::2], found[1::2], strict=False)))
    neighbours = edges.map(lambda found: list(pairwise(found)))
    return st.lists(every_other | neighbours, max_size=6)


def overlaid(ranges: list[Layer]) -> Overlay:
    overlay = Overlay()
    for number, layer in enumerate(ranges):
        objects = [Stored(f"{number}-{start}", start, end - start, "", "") for start, end in layer]
        overlay.add(SimpleNamespace(id=number), reversed(objects), None)
    return overlay


@given(layers(), st.integers(0, SIZE), st.integers(0, SIZE))
def test_each_byte_comes_from_the_newest_object_that_has_it(
    ranges: list[Layer], start: int, end: int
) -> None:
    expected: dict[int, str] = {}
    for number, layer in enumerate(ranges):
        for first, stop in layer:
            expected |= dict.fromkeys(range(first, stop), f"{number}-{first}")
    overlay = overlaid(ranges)
    found: dict[int, str] = {}
    last = start
    for one in overlay.between(start, end):
        assert last <= one.start < one.end <= end
        assert one.one.offset <= one.start
        assert one.end <= one.one.end
        found |= dict.fromkeys(range(one.start, one.end), one.one.name)
        last = one.end
    assert found == {at: name for at, name in expected.items() if start <= at < end}
    assert overlay.end == max(expected, default=-1) + 1


def test_of_two_objects_of_one_backup_the_first_has_what_both_say_to_have() -> None:
    overlay = Overlay()
    overlay.add(
        SimpleNamespace(id=1), [Stored("a", 0, 10, "", ""), Stored("b", 5, 10, "", "")], None
    )
    assert [(one.start, one.end, one.one.name) for one in overlay.between(0, 20)] == [
        (0, 10, "a"),
        (10, 15, "b"),
    ]


@pytest.mark.parametrize("range_", [(0, 0), (7, 3)])
def test_an_empty_range_has_no_segments(range_: tuple[int, int]) -> None:
    assert list(overlaid([[(0, SIZE)]]).between(*range_)) == []
