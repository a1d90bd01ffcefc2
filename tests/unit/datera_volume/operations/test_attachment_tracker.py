# SPDX-License-Identifier: Apache-2.0
"""Who still needs a host, while Cinder's records lag behind."""

from __future__ import annotations

from typing import Any

import pytest

from datera_volume.operations.attachment_tracker import (
    REMEMBERED,
    AttachmentTracker,
    Record,
    Transition,
)

INSTANCE = {"initiator": "iqn.one", "mountpoint": "/dev/vdb", "multipath": False}
# As the database gives it back.
WRITTEN = {"initiator": "iqn.one", "mountpoint": "/dev/vdb", "multipath": "False"}
CINDERS_OWN = {"initiator": "iqn.one", "multipath": False}
ELSEWHERE = {"initiator": "iqn.two", "mountpoint": "/dev/vdb", "multipath": False}


class Volume:
    """What is noted of one volume between two uses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.transitions: tuple[Transition, ...] = ()

    def at(self, there: list[Record]) -> AttachmentTracker:
        return AttachmentTracker(self.transitions, there, self.now)

    def arrive(self, connector: Any, there: list[Record], **how: Any) -> None:
        tracker = self.at(there)
        tracker.arrive(connector, **how)
        self.transitions = tracker.transitions

    def leave(self, connector: Any, there: list[Record]) -> tuple[int, bool]:
        tracker = self.at(there)
        staying = tracker.leave(connector)
        self.transitions = tracker.transitions
        return staying.from_host, staying.nobody


@pytest.fixture
def volume() -> Volume:
    return Volume()


def records(*ids: str, connector: Any = WRITTEN) -> list[Record]:
    return [Record(one, connector) for one in ids]


def reserved(*ids: str) -> list[Record]:
    return records(*ids, connector=None)


def test_one_of_several_records_leaves(volume: Volume) -> None:
    assert volume.leave(WRITTEN, records("a", "b")) == (1, False)


def test_the_last_records_departure_leaves_no_attachment(volume: Volume) -> None:
    assert volume.leave(WRITTEN, records("a")) == (0, True)


def test_attachments_of_different_hosts_are_counted_separately(volume: Volume) -> None:
    there = [*records("a"), *records("b", connector=ELSEWHERE)]
    assert volume.leave(WRITTEN, there) == (0, False)


def test_a_record_without_a_host_may_be_about_to_get_one(volume: Volume) -> None:
    assert volume.leave(WRITTEN, [*records("a"), Record("b", None)]) == (0, False)


def test_a_client_without_a_record_releases_no_other_attachment(volume: Volume) -> None:
    there = records("a")
    volume.arrive(CINDERS_OWN, there)
    assert volume.leave(CINDERS_OWN, there) == (1, False)
    # As after a restart: the attachment is not remembered.
    assert Volume().leave(CINDERS_OWN, there) == (1, False)


def test_a_lone_client_without_a_record_leaves_no_attachment_of_its_host(volume: Volume) -> None:
    volume.arrive(CINDERS_OWN, [])
    assert volume.leave(CINDERS_OWN, []) == (0, False)


def test_an_arrival_after_a_crash_counts_once(volume: Volume) -> None:
    volume.arrive(CINDERS_OWN, [])
    volume.arrive(ELSEWHERE, [])
    volume.arrive(CINDERS_OWN, [], again=True)
    assert volume.leave(CINDERS_OWN, []) == (0, False)
    assert volume.leave(ELSEWHERE, []) == (0, False)


def test_an_arrival_counts_before_its_record_shows_it(volume: Volume) -> None:
    volume.arrive(INSTANCE, records("a"))
    assert volume.leave(WRITTEN, records("a")) == (1, False)


def test_an_arrival_counts_once_when_its_record_shows_it(volume: Volume) -> None:
    volume.arrive(INSTANCE, records("a"))
    there = records("a", "b")
    assert volume.leave(WRITTEN, there) == (1, False)
    assert volume.leave(WRITTEN, records("b")) == (0, True)


def test_two_arrivals_are_not_shown_by_one_record(volume: Volume) -> None:
    for _twice in range(2):
        volume.arrive(INSTANCE, reserved("a", "b"))
    assert volume.leave(WRITTEN, records("a")) == (1, False)


def test_an_arrival_without_a_record_expires(volume: Volume) -> None:
    volume.arrive(INSTANCE, records("a"))
    volume.now += REMEMBERED
    assert volume.leave(ELSEWHERE, records("a"))[0] == 0
    volume.now += 1
    assert volume.leave(WRITTEN, records("a")) == (0, True)


def test_two_concurrent_departures_both_count(volume: Volume) -> None:
    there = records("a", "b")
    assert volume.leave(WRITTEN, there) == (1, False)
    assert volume.leave(WRITTEN, there) == (0, True)


def test_a_departure_is_not_taken_for_a_later_arrival(volume: Volume) -> None:
    # Which of two equal records leaves is not known before one of them is gone.
    assert volume.leave(WRITTEN, records("a", "b")) == (1, False)
    volume.arrive(INSTANCE, records("a"))
    assert volume.leave(WRITTEN, records("a", "c")) == (1, False)
    assert volume.leave(WRITTEN, records("a")) == (0, True)


def test_one_deleted_record_settles_one_departure(volume: Volume) -> None:
    for _ in range(2):
        volume.leave(WRITTEN, records("a", "b", "c"))
    assert volume.leave(ELSEWHERE, records("b", "c")) == (0, False)
    assert volume.leave(WRITTEN, records("b", "c")) == (0, True)


def test_a_repeated_departure_counts_once(volume: Volume) -> None:
    there = [*records("a"), *records("b", connector={**WRITTEN, "mountpoint": "/dev/vdc"})]
    for _twice in range(2):
        assert volume.leave(WRITTEN, there) == (1, False)


def test_a_record_that_does_not_go_counts_again(volume: Volume) -> None:
    assert volume.leave(WRITTEN, records("a")) == (0, True)
    volume.now += REMEMBERED + 1
    assert volume.leave(CINDERS_OWN, records("a")) == (1, False)


def test_settled_transitions_are_dropped(volume: Volume) -> None:
    volume.arrive(INSTANCE, [])
    volume.leave(WRITTEN, records("a"))
    volume.leave(CINDERS_OWN, [])
    assert volume.transitions == ()


def test_a_repeated_arrival_counts_once(volume: Volume) -> None:
    for _twice in range(2):
        volume.arrive(CINDERS_OWN, [])
    assert volume.leave(CINDERS_OWN, []) == (0, False)


def test_a_repeated_arrival_for_one_waiting_record_counts_once(volume: Volume) -> None:
    for _twice in range(2):
        volume.arrive(INSTANCE, reserved("a"))
    assert volume.leave(WRITTEN, records("a")) == (0, True)


def test_a_repeated_arrival_expires_later(volume: Volume) -> None:
    volume.arrive(INSTANCE, reserved("a"))
    volume.now += REMEMBERED
    volume.arrive(INSTANCE, reserved("a"))
    volume.now += REMEMBERED
    assert volume.leave(CINDERS_OWN, reserved("a")) == (1, False)


def test_a_repeated_arrival_with_its_record_counts_once(volume: Volume) -> None:
    volume.arrive(INSTANCE, records("a"), instances=True)
    assert volume.leave(WRITTEN, records("a")) == (0, True)


def test_cinder_itself_counts_beside_a_record_of_the_same_connector(volume: Volume) -> None:
    # While a volume is copied to an image, say.
    volume.arrive(INSTANCE, records("a"))
    assert volume.leave(INSTANCE, records("a")) == (1, False)


def test_a_record_given_another_connector_reports_its_first_host(volume: Volume) -> None:
    volume.arrive(ELSEWHERE, records("a"), instances=True)
    assert volume.at(records("a")).departed(["iqn.one", "iqn.two"]) == ()
    moved = volume.at(records("a", connector=ELSEWHERE))
    assert moved.departed(["iqn.one", "iqn.two", "iqn.three"]) == ("iqn.one",)


def test_a_host_with_another_record_keeps_its_access(volume: Volume) -> None:
    there = [*records("a"), *records("b")]
    volume.arrive(ELSEWHERE, there, instances=True)
    there[0] = Record("a", ELSEWHERE)
    assert volume.at(there).departed(["iqn.one", "iqn.two"]) == ()


def test_a_host_that_arrives_again_keeps_its_access(volume: Volume) -> None:
    volume.arrive(ELSEWHERE, records("a"), instances=True)
    back = volume.at(records("a", connector=ELSEWHERE))
    back.arrive(INSTANCE, instances=True)
    assert back.departed(["iqn.one", "iqn.two"]) == ()


def test_a_record_of_its_own_is_no_change_of_another(volume: Volume) -> None:
    volume.arrive(ELSEWHERE, [*records("a"), *reserved("b")])
    assert volume.at([*records("a"), Record("b", ELSEWHERE)]).departed(["iqn.one"]) == ()


def test_a_stored_transition_stays_until_it_is_replaced(volume: Volume) -> None:
    volume.arrive(INSTANCE, [])
    assert volume.at(records("a")).stored == volume.transitions
