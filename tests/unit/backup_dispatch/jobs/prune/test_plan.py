# SPDX-License-Identifier: Apache-2.0
"""What goes and what stays, over chains, users' words and unsound backups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_dispatch.jobs.prune.candidate import Candidate, users_word
from backup_dispatch.jobs.prune.plan import Plan, Shelf, plan
from backup_dispatch.jobs.prune.policy import Policy
from tests.fixtures.retention_model import Kept, Rules, left_after

NOW = datetime(2026, 11, 30, 7, tzinfo=timezone.utc)
ALONE, CHAINED = Shelf("alone", children_stand_alone=True), Shelf("chained")
SHELVES = {one.name: one for one in (ALONE, CHAINED, Shelf("other"))}
KEEP_ONE = Policy(last=1)


def backup(number: int, parent: int | None = None, **changes: object) -> Candidate:
    """A backup made ``number`` hours after the first."""
    made = Candidate(
        id=f"{number:04}",
        name=f"n{number}",
        project="p",
        volume="v",
        moment=NOW - timedelta(hours=1000 - number),
        parent=None if parent is None else f"{parent:04}",
        status="available",
        service="chained",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def planned(backups: Sequence[Candidate], policy: Policy = KEEP_ONE) -> Plan:
    return plan(backups, lambda _one: ("p", policy), lambda name: SHELVES.get(name or ""), NOW)


def going(decided: Plan) -> list[str]:
    return [one.backup.id for one in decided.going]


def whys(decided: Plan) -> dict[str, list[str]]:
    return {one.backup.id: one.why for one in decided.decisions}


@st.composite
def volumes(draw: st.DrawFn) -> list[Candidate]:
    """The backups of a volume: any trees, on several backends, in any state."""
    made: list[Candidate] = []
    for number in range(draw(st.integers(0, 24))):
        shelf = draw(st.sampled_from(sorted(SHELVES)))
        above = [one.id for one in made if one.service == shelf]
        parent = draw(st.sampled_from([None, *above]))
        status = draw(st.sampled_from(["available"] * 9 + ["error"]))
        keep = draw(st.sampled_from([None] * 6 + ["forever"]))
        hours = draw(st.integers(0, 4))
        one = backup(number * 5 + hours, service=shelf, status=status, keep=keep)
        made.append(replace(one, parent=parent))
    return made


@given(
    volumes(),
    st.builds(Rules, last=st.integers(0, 4), hourly=st.integers(0, 4), daily=st.integers(0, 3)),
)
def test_plan_leaves_what_the_naive_model_leaves(made: list[Candidate], rules: Rules) -> None:
    policy = Policy(last=rules.last, hourly=rules.hourly, daily=rules.daily)
    decided = planned(made, policy)
    model = {
        one.id: Kept(
            one.id,
            one.moment,
            one.parent,
            str(one.service),
            alone=one.service == "alone",
            good=one.is_good,
            word=bool(one.keep),
        )
        for one in made
    }
    expected = left_after(model, lambda _group: rules)
    assert {one.id for one in made} - set(going(decided)) == set(expected)


@given(volumes())
def test_children_go_before_parents_where_these_need_them(made: list[Candidate]) -> None:
    order = going(planned(made))
    parents = {one.id: one.parent for one in made}
    alone = {one.id for one in made if one.service == "alone"}
    for place, one in enumerate(order):
        parent = parents[one]
        if parent in order:
            assert (order.index(parent) < place) is (one in alone)


def test_a_chain_stays_for_the_sake_of_what_is_kept() -> None:
    decided = planned([backup(0), backup(1, 0), backup(2, 1), backup(3)], Policy(last=2))
    assert going(decided) == []
    assert whys(decided)["0000"] == ["for 0002"]
    assert whys(decided)["0001"] == ["for 0002"]


def test_a_chain_goes_newest_first_when_all_of_it_may_go() -> None:
    decided = planned([backup(0), backup(1, 0), backup(2, 1), backup(3)])
    assert going(decided) == ["0002", "0001", "0000"]


def test_where_children_stand_alone_a_parent_goes_before_them() -> None:
    chain = [backup(0), backup(1, 0), backup(2, 1), backup(3, 2)]
    decided = planned([replace(one, service="alone") for one in chain], Policy(last=2))
    assert going(decided) == ["0000", "0001"]


@pytest.mark.parametrize("status", ["creating", "restoring", "deleting"])
def test_a_parent_stays_while_somebody_works_on_its_child(status: str) -> None:
    child = backup(1, 0, status=status, service="alone")
    decided = planned([backup(0, service="alone"), child, backup(2, service="alone")])
    assert whys(decided)["0000"] == [f"0001 on it is {status}"]


def test_a_child_that_no_policy_counts_for_keeps_its_parent() -> None:
    made = [backup(0), backup(1, 0, name="mine"), backup(2)]
    decided = plan(
        made,
        lambda one: None if one.name == "mine" else ("p", KEEP_ONE),
        lambda name: SHELVES.get(name or ""),
        NOW,
    )
    assert going(decided) == []
    assert set(whys(decided)) == {"0000", "0002"}


@pytest.mark.parametrize(
    ("newest", "told"),
    [
        (backup(9, status="error"), "the newest, 0009, is error"),
        (backup(9, damaged=True), "the newest, 0009, is damaged"),
        (backup(9, status="error", service="not enabled"), "the newest, 0009, is error"),
        (backup(9, status="error", service="other"), "the newest, 0009, is error"),
    ],
)
def test_nothing_goes_of_a_volume_whose_newest_backup_is_not_sound(
    newest: Candidate, told: str
) -> None:
    decided = planned([backup(0), backup(1), newest])
    assert going(decided) == []
    assert decided.unsound == {"v": told}


def test_nothing_goes_on_a_backend_whose_newest_backup_is_not_sound() -> None:
    made = [backup(0), backup(1), backup(2, status="error"), backup(3, service="other")]
    decided = planned([*made, backup(4, service="other")])
    assert going(decided) == ["0003"]
    assert decided.unsound == {"v": "the newest, 0002, is error"}


@pytest.mark.parametrize("status", ["creating", "deleting"])
def test_one_that_is_being_made_or_deleted_is_not_the_newest_yet(status: str) -> None:
    assert going(planned([backup(0), backup(1), backup(2, status=status)])) == ["0000"]


def test_a_volume_is_never_left_without_a_backup() -> None:
    decided = planned([backup(0), backup(1, 0)], Policy())
    assert going(decided) == []
    assert whys(decided)["0000"] == ["the volume would be left without any"]
    assert decided.emptied == []


def test_a_backend_that_would_have_none_is_named() -> None:
    made = [backup(0), backup(1, 0), backup(2, service="other", keep="forever")]
    decided = planned(made, Policy())
    assert going(decided) == ["0001", "0000"]
    assert decided.emptied == [("v", "chained")]


def test_backups_of_an_unknown_backend_are_left_alone() -> None:
    decided = planned([backup(0, service=None), backup(1, service="gone"), backup(2)])
    assert set(whys(decided)) == {"0002"}


def test_what_an_earlier_run_has_begun_is_finished_in_order() -> None:
    made = [
        backup(0, status="error", mark="begun"),
        backup(1, 0, status="deleting", mark="requested"),
        backup(2, status="error_deleting"),
        backup(3),
    ]
    decided = planned(made)
    assert [one.backup.id for one in decided.unfinished] == ["0001", "0000"]
    assert going(decided) == []


def test_records_in_a_circle_end_no_plan() -> None:
    made = [backup(0, 1), backup(1, 0), backup(2)]
    assert sorted(going(planned(made))) == ["0000", "0001"]


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        (None, False),
        ("forever", True),
        (" Forever ", True),
        ("2026-11-29", False),
        ("2026-11-30", True),
        ("2027-01-01", True),
        ("9999-12-31", True),
        ("2026-11-30T06:59:59Z", False),
        ("2026-11-30T08:00:00+02:00", False),
        ("2026-11-30T07:30", True),
        ("next year", True),
        ("", True),
    ],
)
def test_a_users_word_keeps_a_backup_and_so_does_one_that_cannot_be_read(
    word: str | None, kept: bool
) -> None:
    assert bool(users_word(word, NOW)) is kept


def test_a_chain_of_a_year_of_hours_is_planned_without_recursion() -> None:
    made = [backup(number, number - 1 if number else None) for number in range(9000)]
    made = [
        replace(one, moment=NOW - timedelta(hours=9000) + timedelta(hours=place))
        for place, one in enumerate(made)
    ]
    decided = planned([*made, backup(9999)])
    assert len(decided.going) == 9000
