# SPDX-License-Identifier: Apache-2.0
"""What a backup's properties say of its last verification."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from cinder import objects

objects.register_all()

from backup_dispatch.drivers.verification import Verdict  # noqa: E402 - after Cinder's objects
from backup_dispatch.jobs.remembered import (  # noqa: E402
    NEVER,
    TRIED,
    VERIFIED,
    Past,
    Remembered,
    mark_of,
    past_in,
)

NOW = datetime(2026, 11, 30, 6, 11, 41)
DAY = timedelta(days=1)
SEED = mark_of(["backup b: object o is missing"])


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Remembered(Verdict.SOUND, NOW, NOW), "sound 2026-11-30T06:11:41Z"),
        (
            Remembered(Verdict.SOUND, NOW - DAY, NOW),
            "sound 2026-11-29T06:11:41Z read 2026-11-30T06:11:41Z",
        ),
        (
            Remembered(Verdict.DAMAGED, NOW, None, SEED),
            f"DAMAGED 2026-11-30T06:11:41Z read never mark {SEED}",
        ),
    ],
)
def test_verdict_as_a_property_and_back(verdict: Remembered, text: str) -> None:
    assert str(verdict) == text
    assert past_in({VERIFIED: text, "other": "x"}, NOW) == Past(verdict)


def test_attempt_without_a_verdict_is_kept_beside_the_verdict() -> None:
    values = {VERIFIED: "sound 2026-11-28T06:11:41Z", TRIED: "2026-11-30T05:00:00Z gave no verdict"}
    past = past_in(values, NOW)
    assert past.last == Remembered(Verdict.SOUND, NOW - 2 * DAY, NOW - 2 * DAY)
    assert past.tried == NOW - timedelta(minutes=71, seconds=41)


@pytest.mark.parametrize(
    "text",
    [
        "", "sound", "sound yesterday", "fine 2026-11-30T06:11:41Z", "sound 2026-13-30T06:11:41Z",
        "not known 2026-11-30T06:11:41Z", "sound 2027-11-30T06:11:41Z",
        "sound  2026-11-30T06:11:41Z",
    ],
)  # fmt: skip
def test_property_that_cannot_be_understood_or_is_of_the_future_counts_as_never(text: str) -> None:
    assert past_in({VERIFIED: text, TRIED: text}, NOW) == NEVER


def test_words_of_later_versions_are_passed_over() -> None:
    text = "sound 2026-11-30T06:11:41Z by somebody read 2026-11-29T06:11:41Z odd"
    assert past_in({VERIFIED: text}, NOW).last == Remembered(Verdict.SOUND, NOW, NOW - DAY)


def test_mark_is_the_same_in_whatever_order_damage_was_found() -> None:
    assert mark_of(["a", "b"]) == mark_of(["b", "a"])
    assert mark_of(["a", "b"]) != mark_of(["a"])
