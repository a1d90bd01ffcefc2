# SPDX-License-Identifier: Apache-2.0
"""What is noted of a volume is read again, and what others wrote there does no harm."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from datera_volume.connection import AppInstance, RequestRefused, Tenant
from datera_volume.operations.attachment_tracker import (
    REMEMBERED,
    AttachmentTracker,
    Record,
    Transition,
    mark,
)
from datera_volume.operations.attachment_transitions import (
    MOST_OTHERS,
    TransitionStore,
    decoded,
    encoded,
)

AT = 1_764_417_600.0
AI = AppInstance(id="1", name="OS-1", path="/app_instances/1", tenant="/root")
ARRIVING = Transition("arriving", mark("iqn.one"), mark("connector"), AT)
LEAVING = Transition(
    "leaving", mark("iqn.two"), mark("another"), AT, frozenset({mark("a"), mark("b")})
)
CHANGING = Transition(
    "arriving", mark("iqn"), mark("c"), AT, frozenset({mark("a")}), {mark("b"): mark("iqn.three")}
)


class Array:
    """Keeps the metadata of one app instance."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = dict(words)
        self.writes: list[dict[str, str]] = []
        self.full = False
        self.view: Any = SimpleNamespace(
            metadata=lambda _ai: dict(self.words),
            update_metadata=self.update_metadata,
            at_once=lambda: self.view,
        )

    def update_metadata(self, _ai: AppInstance, words: Mapping[str, str]) -> None:
        if self.full:
            raise RequestRefused("no more than 2048 characters")
        self.writes.append(dict(words))
        self.words.update(words)

    def notes(self) -> TransitionStore:
        return TransitionStore(cast(Tenant, self.view), AI)


@pytest.mark.parametrize("move", [ARRIVING, LEAVING, CHANGING])
def test_a_transition_is_read_as_it_was_written(move: Transition) -> None:
    assert decoded(encoded(move)) == move


def test_what_is_stored_is_read_by_the_next_process() -> None:
    array = Array({"display_name": "volume"})
    array.notes().write([ARRIVING, LEAVING])
    assert array.notes().read() == (ARRIVING, LEAVING)
    array.notes().write([LEAVING])
    assert array.notes().read() == (LEAVING,)
    assert array.words["display_name"] == "volume"


def test_keys_are_reused_and_unchanged_values_not_written() -> None:
    array = Array({})
    for _time in range(3):
        array.notes().write([ARRIVING])
        array.notes().write([ARRIVING])
        array.notes().write([])
    assert len(array.writes) == 6
    assert set(array.words) == {"cinder_move_1"}


def test_nothing_is_written_without_transitions() -> None:
    array = Array({"cinder_id": "1"})
    array.notes().write([])
    assert array.writes == []


def test_a_stored_transition_has_no_names_and_is_short() -> None:
    others = {mark(str(n)): mark(f"iqn.{n}") for n in range(100)}
    note = encoded(Transition("arriving", mark("iqn.one"), mark("c"), AT, frozenset(), others))
    assert "iqn" not in note
    assert note.count(":") == MOST_OTHERS
    assert len(note) < 250


def test_metadata_without_room_is_logged_and_fails_nothing(caplog: Any) -> None:
    array = Array({})
    array.full = True
    array.notes().write([ARRIVING])
    assert "could not be stored in its metadata" in caplog.text


@pytest.mark.parametrize("value", [str(int(AT)), encoded(LEAVING)[:30], f"{int(AT)} x y z"])
def test_a_truncated_transition_stands_for_any_arrival(value: str, caplog: Any) -> None:
    array = Array({"cinder_move_1": value})
    there = [Record("a", {"initiator": "iqn.one"})]
    tracker = AttachmentTracker(array.notes().read(), there, AT)
    staying = tracker.leave({"initiator": "iqn.one"})
    assert (staying.from_host, staying.nobody) == (1, False)
    assert "cinder_move_1 of app instance OS-1 is invalid" in caplog.text
    later = AttachmentTracker(array.notes().read(), there, AT + REMEMBERED + 1)
    assert later.leave({"initiator": "iqn.one"}).nobody


@pytest.mark.parametrize("value", ["", "None", "x", "{}"])
def test_an_invalid_value_is_no_transition(value: str, caplog: Any) -> None:
    assert Array({"cinder_move_1": value}).notes().read() == ()
    assert "is invalid" in caplog.text
