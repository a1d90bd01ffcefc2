# SPDX-License-Identifier: Apache-2.0
"""A sample has the size that was asked for, and everything the same chance of being in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datera_backup.engine.sample import Sample


def drawn(share: float, of: int, seed: int) -> list[int]:
    sample = Sample(share, of, seed)
    return [place for place in range(of) if sample.draw()]


@given(st.floats(0, 1, exclude_min=True), st.integers(0, 500), st.integers())
def test_sample_has_the_share_asked_for_and_at_least_one(share: float, of: int, seed: int) -> None:
    places = drawn(share, of, seed)
    assert len(places) == Sample(share, of, seed).size
    assert (of > 0) <= len(places) <= share * of + 1
    assert places == drawn(share, of, seed)


def test_each_block_is_sampled_with_the_same_chance() -> None:
    counts = [0] * 20
    for seed in range(2000):
        for place in drawn(0.25, 20, seed):
            counts[place] += 1
    assert all(400 < count < 600 for count in counts), counts


def test_more_that_come_than_were_announced_are_not_drawn() -> None:
    sample = Sample(0.5, 10, 1)
    assert sum(sample.draw() for _ in range(30)) == sample.size == 5


@pytest.mark.parametrize("share", [0.0, -1.0, 1.01])
def test_share_out_of_bounds_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="is not above 0 and at most 1"):
        Sample(share, 10, 1)
