# SPDX-License-Identifier: Apache-2.0
"""Who still needs a host, while Cinder's records lag behind."""

from __future__ import annotations

from typing import Any

import pytest

from datera_volume.guests import REMEMBERED, Guests, Record

VOLUME = "volume-1"
INSTANCE = {"initiator": "iqn.one", "mountpoint": "/dev/vdb", "multipath": False}
# As the database gives it back.
WRITTEN = {"initiator": "iqn.one", "mountpoint": "/dev/vdb", "multipath": "False"}
CINDERS_OWN = {"initiator": "iqn.one", "multipath": False}
ELSEWHERE = {"initiator": "iqn.two", "mountpoint": "/dev/vdb", "multipath": False}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guests(clock: Clock) -> Guests:
    return Guests(clock)


def records(*ids: str, connector: Any = WRITTEN) -> list[Record]:
    return [Record(one, connector) for one in ids]


def arrive(guests: Guests, connector: Any, there: list[Record]) -> None:
    with guests.arriving(VOLUME, connector, there):
        pass


def leave(guests: Guests, connector: Any, there: list[Record]) -> tuple[int, bool]:
    with guests.leaving(VOLUME, connector, there) as staying:
        return staying.from_host, staying.nobody


def test_one_of_the_records_leaves(guests: Guests) -> None:
    assert leave(guests, WRITTEN, records("a", "b")) == (1, False)


def test_the_last_record_leaves_nobody(guests: Guests) -> None:
    assert leave(guests, WRITTEN, records("a")) == (0, True)


def test_hosts_are_told_apart(guests: Guests) -> None:
    there = [*records("a"), *records("b", connector=ELSEWHERE)]
    assert leave(guests, WRITTEN, there) == (0, False)


def test_a_record_without_a_host_may_be_about_to_get_one(guests: Guests) -> None:
    assert leave(guests, WRITTEN, [*records("a"), Record("b", None)]) == (0, False)


def test_whoever_has_no_record_takes_nobody_with_him(guests: Guests) -> None:
    there = records("a")
    arrive(guests, CINDERS_OWN, there)
    assert leave(guests, CINDERS_OWN, there) == (1, False)
    # As after a restart: nothing is remembered of his coming.
    assert leave(Guests(), CINDERS_OWN, there) == (1, False)


def test_whoever_has_no_record_and_was_alone_leaves_nobody_from_his_host(guests: Guests) -> None:
    arrive(guests, CINDERS_OWN, [])
    assert leave(guests, CINDERS_OWN, []) == (0, False)


def test_who_comes_again_without_having_left_counts_once(guests: Guests) -> None:
    arrive(guests, CINDERS_OWN, [])
    arrive(guests, ELSEWHERE, [])
    with guests.arriving(VOLUME, CINDERS_OWN, [], again=True):
        pass
    assert leave(guests, CINDERS_OWN, []) == (0, False)
    assert leave(guests, ELSEWHERE, []) == (0, False)


def test_who_was_let_in_counts_before_his_record_shows_it(guests: Guests) -> None:
    arrive(guests, INSTANCE, records("a"))
    assert leave(guests, WRITTEN, records("a")) == (1, False)


def test_who_was_let_in_counts_once_when_his_record_shows_it(guests: Guests) -> None:
    arrive(guests, INSTANCE, records("a"))
    there = records("a", "b")
    assert leave(guests, WRITTEN, there) == (1, False)
    assert leave(guests, WRITTEN, records("b")) == (0, True)


def test_two_who_were_let_in_are_not_shown_by_one_record(guests: Guests) -> None:
    arrive(guests, INSTANCE, [])
    arrive(guests, INSTANCE, [])
    assert leave(guests, WRITTEN, records("a")) == (1, False)


def test_who_could_not_be_let_in_does_not_count(guests: Guests) -> None:
    with pytest.raises(OSError, match="no way"), guests.arriving(VOLUME, INSTANCE, []):
        raise OSError("no way")
    assert leave(guests, WRITTEN, records("a")) == (0, True)


def test_who_never_got_a_record_is_forgotten_in_the_end(guests: Guests, clock: Clock) -> None:
    arrive(guests, INSTANCE, records("a"))
    clock.now += REMEMBERED
    assert leave(guests, ELSEWHERE, records("a"))[0] == 0
    clock.now += 1
    assert leave(guests, WRITTEN, records("a")) == (0, True)


def test_two_who_leave_at_once_are_both_gone(guests: Guests) -> None:
    there = records("a", "b")
    assert leave(guests, WRITTEN, there) == (1, False)
    assert leave(guests, WRITTEN, there) == (0, True)


def test_who_left_is_not_taken_for_who_came_after_him(guests: Guests) -> None:
    # Which of two equal records leaves is not known before one of them is gone.
    assert leave(guests, WRITTEN, records("a", "b")) == (1, False)
    arrive(guests, INSTANCE, records("a"))
    assert leave(guests, WRITTEN, records("a", "c")) == (1, False)
    assert leave(guests, WRITTEN, records("a")) == (0, True)


def test_one_record_that_is_gone_is_one_who_left(guests: Guests) -> None:
    for _ in range(2):
        leave(guests, WRITTEN, records("a", "b", "c"))
    assert leave(guests, ELSEWHERE, records("b", "c")) == (0, False)
    assert leave(guests, WRITTEN, records("b", "c")) == (0, True)


def test_leaving_again_is_the_same_leaving(guests: Guests) -> None:
    there = [*records("a"), *records("b", connector={**WRITTEN, "mountpoint": "/dev/vdc"})]
    for _twice in range(2):
        assert leave(guests, WRITTEN, there) == (1, False)


def test_who_could_not_be_shut_out_has_not_left(guests: Guests) -> None:
    there = records("a")
    with pytest.raises(OSError, match="no way"), guests.leaving(VOLUME, WRITTEN, there):
        raise OSError("no way")
    assert leave(guests, CINDERS_OWN, there) == (1, False)


def test_a_record_that_does_not_go_counts_again(guests: Guests, clock: Clock) -> None:
    assert leave(guests, WRITTEN, records("a")) == (0, True)
    clock.now += REMEMBERED + 1
    assert leave(guests, CINDERS_OWN, records("a")) == (1, False)


def test_when_everybody_left_nobody_is_remembered(guests: Guests) -> None:
    arrive(guests, INSTANCE, [])
    guests.everybody_left(VOLUME)
    assert leave(guests, WRITTEN, records("a")) == (0, True)


def test_nothing_is_kept_of_what_is_settled(guests: Guests) -> None:
    arrive(guests, INSTANCE, [])
    leave(guests, WRITTEN, records("a"))
    leave(guests, CINDERS_OWN, [])
    assert guests._moves == {}
