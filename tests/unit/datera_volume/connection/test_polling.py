# SPDX-License-Identifier: Apache-2.0
"""Waiting looks at once, ever more rarely, and once more at the deadline."""

from __future__ import annotations

from typing import Any

import pytest

from datera_volume.connection import NotReadyInTime
from datera_volume.connection.polling import Poller


def test_what_is_ready_at_once_is_not_slept_for(clock: Any) -> None:
    poller = Poller(sleep=clock.sleep, clock=clock)
    assert poller.until(lambda: 7, lambda n: n == 7, seconds=10, what="seven") == 7
    assert clock.slept == []


def test_intervals_grow_and_stay_below_the_longest(clock: Any) -> None:
    poller = Poller(sleep=clock.sleep, clock=clock)
    poller.until(lambda: clock.now, lambda now: now > 20, seconds=60, what="20 s")
    assert clock.slept[0] == 0.02
    assert clock.slept == sorted(clock.slept)
    assert max(clock.slept) == 2.0


def test_success_at_the_last_look_is_success(clock: Any) -> None:
    poller = Poller(sleep=clock.sleep, clock=clock)
    poller.until(lambda: clock.now, lambda now: now >= 10, seconds=10, what="the deadline")
    assert clock.now == pytest.approx(10)


def test_the_error_says_what_was_waited_for_and_how_long(clock: Any) -> None:
    poller = Poller(sleep=clock.sleep, clock=clock)
    with pytest.raises(NotReadyInTime, match="Timed out after 5 s waiting for the target"):
        poller.until(lambda: False, bool, seconds=5, what="the target")
    assert clock.now == pytest.approx(5)
