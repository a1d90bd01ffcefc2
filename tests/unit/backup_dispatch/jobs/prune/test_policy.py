# SPDX-License-Identifier: Apache-2.0
"""What a policy keeps, beside a model that was written without looking at it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backup_dispatch.jobs.prune.policy import (
    COUNTS,
    UNLIMITED,
    Policy,
    PolicyInvalid,
    Span,
    count,
    described,
    reasons,
    span,
)
from tests.fixtures.retention_model import Rules, kept_by

NOW = datetime(2026, 11, 30, 7, tzinfo=timezone.utc)
YEAR = 366 * 24 * 60

counts = st.one_of(st.integers(0, 8), st.just(UNLIMITED))
policies = st.builds(
    Policy,
    **dict.fromkeys(COUNTS, counts),
    within=st.builds(Span, days=st.integers(0, 40), hours=st.integers(0, 30)),
)
ages = st.lists(st.integers(0, 3 * YEAR), max_size=60)


def moments_of(minutes: list[int]) -> list[datetime]:
    return sorted((NOW - timedelta(minutes=one) for one in minutes), reverse=True)


@given(policies, ages)
@example(Policy(hourly=3), [0, 1, 59, 60, 61, 119, 120, 180])
@example(Policy(weekly=2), [7 * 1440 * one for one in range(9)])
@example(Policy(yearly=5), [0, 10])
def test_policy_keeps_what_the_naive_model_keeps(policy: Policy, minutes: list[int]) -> None:
    moments = moments_of(minutes)
    kept = {number for number, why in enumerate(reasons(policy, moments, NOW)) if why}
    within = policy.within.days * 24 + policy.within.hours
    rules = Rules(**{name: getattr(policy, name) for name in COUNTS}, within_hours=within)
    assert kept == kept_by(rules, moments)


@given(policies.filter(lambda policy: not policy.keeps_nothing), ages.filter(bool))
def test_the_newest_backup_is_kept_by_every_policy(policy: Policy, minutes: list[int]) -> None:
    assert reasons(policy, moments_of(minutes), NOW)[0]


@given(policies, ages)
def test_pruning_twice_keeps_what_pruning_once_did(policy: Policy, minutes: list[int]) -> None:
    moments = moments_of(minutes)
    once = [
        moment for moment, why in zip(moments, reasons(policy, moments, NOW), strict=True) if why
    ]
    assert all(reasons(policy, once, NOW))


def test_no_policy_at_all_keeps_nothing_and_says_so() -> None:
    assert Policy().keeps_nothing
    assert reasons(Policy(), [NOW], NOW) == [[]]
    assert described(Policy()) == "nothing"


def test_reasons_name_each_rule_that_keeps_a_backup() -> None:
    moments = moments_of([0, 60, 24 * 60])
    policy = Policy(last=1, hourly=2, daily=2, within=Span(hours=2))
    assert reasons(policy, moments, NOW) == [
        ["last", "hourly", "daily", "within 2h"],
        ["hourly", "within 2h"],
        ["daily"],
    ]
    assert described(policy) == "last 1, hourly 2, daily 2, within 2h"


def test_the_oldest_is_kept_while_fewer_are_found_than_the_policy_asks_for() -> None:
    moments = moments_of([0, 10, 20])
    assert [bool(why) for why in reasons(Policy(yearly=2), moments, NOW)] == [True, False, True]
    assert [bool(why) for why in reasons(Policy(yearly=1), moments, NOW)] == [True, False, False]


def test_within_begins_at_the_newest_backup_and_not_now() -> None:
    year = timedelta(days=365)
    moments = [moment - year for moment in moments_of([0, 60, 120, 180])]
    kept = [bool(why) for why in reasons(Policy(within=Span(hours=2)), moments, NOW)]
    assert kept == [True, True, False, False]


def test_a_backup_from_the_future_does_not_move_what_is_within() -> None:
    moments = [NOW + timedelta(days=400), *moments_of([0, 60])]
    kept = [bool(why) for why in reasons(Policy(within=Span(hours=2)), moments, NOW)]
    assert kept == [True, True, True]
    ahead = [NOW + timedelta(days=400)] * 2
    assert all(reasons(Policy(within=Span(hours=2)), ahead, NOW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14d", Span(days=14)),
        ("8w", Span(weeks=8)),
        ("1y6m", Span(years=1, months=6)),
        ("12h", Span(hours=12)),
        (" 2d ", Span(days=2)),
        ("0d", Span()),
    ],
)
def test_a_span_is_read(text: str, expected: Span) -> None:
    assert span(text) == expected


@pytest.mark.parametrize(
    "text", ["", "14", "d", "-1d", "1.5d", "14 d", "2x", "1d1d", "101y", "14D"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        span(text)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "1000001", "1d", "٣"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        count(text)


def test_a_count_is_a_number_or_unlimited() -> None:
    assert (count("0"), count("24"), count("Unlimited")) == (0, 24, UNLIMITED)


@pytest.mark.parametrize(
    ("long", "expected"),
    [
        (Span(months=1), datetime(2026, 2, 28, 12)),
        (Span(months=3), datetime(2025, 12, 31, 12)),
        (Span(years=2, months=1), datetime(2024, 2, 29, 12)),
        (Span(days=31, hours=13), datetime(2026, 2, 27, 23)),
        (Span(years=3000), datetime(1, 1, 31, 12)),
    ],
)
def test_months_are_counted_back_on_the_calendar(long: Span, expected: datetime) -> None:
    assert long.before(datetime(2026, 3, 31, 12)) == expected


@given(st.datetimes(), st.integers(0, 99), st.integers(0, 1200), st.integers(0, 36500))
def test_a_span_before_any_moment_is_earlier(
    moment: datetime, years: int, months: int, days: int
) -> None:
    long: Any = Span(years=years, months=months, days=days)
    assert long.before(moment) <= moment
