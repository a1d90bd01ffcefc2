# SPDX-License-Identifier: Apache-2.0
"""Which container a backup goes into, by sizes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datera_backup.container import GIB
from datera_backup.errors import VolumeTooLarge
from datera_backup.operations.placement import (
    Fits,
    FitsExtended,
    StartsNew,
    gib_for,
    new_container_gib,
    place_in_parents,
)


@pytest.mark.parametrize(
    ("size", "gib"), [(0, 1), (1, 1), (GIB - 1, 1), (GIB, 1), (GIB + 1, 2), (5 * GIB, 5)]
)
def test_gib_for_rounds_up_and_is_at_least_one(size: int, gib: int) -> None:
    assert gib_for(size) == gib


def test_a_new_container_has_room_for_two() -> None:
    assert new_container_gib(3 * GIB, max_gib=100) == 6


def test_a_new_container_has_room_for_one_where_two_would_be_too_much() -> None:
    assert new_container_gib(3 * GIB, max_gib=5) == 5


def test_a_volume_that_may_not_fit_is_refused_with_the_option_named() -> None:
    with pytest.raises(VolumeTooLarge, match=r"6 GiB .*backup_datera_container_max_size allows 5"):
        new_container_gib(5 * GIB + 1, max_gib=5)


def test_what_fits_needs_no_extension() -> None:
    assert place_in_parents(2 * GIB, 4 * GIB, 2 * GIB, max_gib=4) == Fits()


def test_what_does_not_fit_extends_the_container_with_room_for_one_more() -> None:
    assert place_in_parents(2 * GIB + 1, 4 * GIB, 2 * GIB, max_gib=100) == FitsExtended(7)


def test_an_extension_stops_at_the_limit() -> None:
    assert place_in_parents(2 * GIB + 1, 4 * GIB, 2 * GIB, max_gib=6) == FitsExtended(6)


def test_what_would_exceed_the_limit_starts_a_new_container() -> None:
    placement = place_in_parents(2 * GIB + 1, 4 * GIB, 2 * GIB, max_gib=4)
    assert isinstance(placement, StartsNew)
    assert "backup_datera_container_max_size (4)" in placement.reason


SIZES = st.integers(min_value=0, max_value=50 * GIB)


@given(used=SIZES, size=SIZES, worst=st.integers(1, 50 * GIB), max_gib=st.integers(1, 60))
def test_a_backup_never_runs_out_of_room(used: int, size: int, worst: int, max_gib: int) -> None:
    placement = place_in_parents(used, size, worst, max_gib)
    if isinstance(placement, Fits):
        assert used + worst <= size
    elif isinstance(placement, FitsExtended):
        assert size < used + worst <= placement.gib * GIB
        assert placement.gib <= max_gib
    else:
        assert used + worst > max_gib * GIB
