# SPDX-License-Identifier: Apache-2.0
"""The property that keeps what became of a volume's bytes."""

from __future__ import annotations

import pytest

from backup_dispatch.counting.figures import NEW, READ, SHARED, STORED, ZERO, kept, read_back


def test_what_is_kept_is_read_back() -> None:
    figures = {STORED: 5, NEW: 10, SHARED: 20, ZERO: 2**40, READ: 7}
    text = kept(figures)
    assert text == f"stored=5 new=10 shared=20 zero={2**40}"
    assert read_back(text) == {STORED: 5, NEW: 10, SHARED: 20, ZERO: 2**40}
    assert kept({READ: 7}) == ""


def test_the_largest_figures_fit_a_property() -> None:
    most = dict.fromkeys((STORED, NEW, SHARED, ZERO), 10**17)
    assert len(kept(most)) <= 255


@pytest.mark.parametrize(
    "text",
    [
        "", "stored", "stored=", "stored=-1", "stored=1e9", "stored=٣", "stored=1 stored=2",
        "read=1", f"stored={10**18}", "<script>=1", "new=1 zero=x",
    ],
)  # fmt: skip
def test_what_a_user_has_made_of_it_counts_as_unknown(text: str) -> None:
    assert read_back(text) == {}
