# SPDX-License-Identifier: Apache-2.0
"""Images have the same bytes each time, and as many as they are to have."""

from __future__ import annotations

from pathlib import Path

from bench.measuring import image

MIB = 1 << 20


def test_an_image_is_the_same_each_time_and_mostly_what_it_says(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    image.make(one, 12 * MIB, 7)
    image.make(other, 12 * MIB, 7)
    assert image.same(one, other)
    zeros = sum(not any(one.read_bytes()[at : at + 64]) for at in range(0, 12 * MIB, MIB))
    assert 1 <= zeros <= 9
    assert one.stat().st_blocks * 512 <= (12 - zeros + 1) * MIB


def test_an_image_may_be_mostly_a_hole(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    image.make(sparse, 1 << 40, 7, holding=4 * MIB)
    assert sparse.stat().st_size == 1 << 40
    assert sparse.stat().st_blocks * 512 <= 5 * MIB


def test_a_changed_image_differs_in_as_much_as_it_says(tmp_path: Path) -> None:
    one, changed = tmp_path / "one", tmp_path / "changed"
    image.make(one, 8 * MIB, 7)
    told = image.change(one, changed, 0.05, 9)
    before, after = one.read_bytes(), changed.read_bytes()
    assert len(after) == len(before)
    different = [
        at
        for at in range(0, 8 * MIB, image.CHANGE)
        if before[at : at + image.CHANGE] != after[at : at + image.CHANGE]
    ]
    assert len(different) * image.CHANGE == told == 6 * image.CHANGE
    assert not image.same(one, changed)
