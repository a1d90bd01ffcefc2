# SPDX-License-Identifier: Apache-2.0
"""Locks of attachments and initiators are waited for until a deadline."""

from __future__ import annotations

from pathlib import Path

import pytest

from datera_volume.connection import NotReadyInTime
from datera_volume.features import locks

pytestmark = pytest.mark.release

VOLUME = "6c59aa36-8a2d-4a1a-9d66-6a7df0c4fd5a"


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds < 1
        self.now += seconds

    def clock(self) -> float:
        return self.now


def test_lock_that_is_never_given_back_is_an_error_that_names_it(coordinated: Path) -> None:
    time = Time()
    with (
        locks.held(locks.attachments_lock(VOLUME), "it"),
        pytest.raises(NotReadyInTime, match=r"after 600 s waiting for the lock of it$"),
        locks.held(locks.attachments_lock(VOLUME), "it", sleep=time.sleep, clock=time.clock),
    ):
        raise AssertionError("two have it")
    assert locks.SECONDS <= time.now < locks.SECONDS + 1


def test_lock_is_had_as_soon_as_it_is_given_back(coordinated: Path) -> None:
    time, other = Time(), locks.attachments_lock(VOLUME)
    assert other.acquire(blocking=False)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if time.now > 1:
            other.release()

    with locks.held(locks.attachments_lock(VOLUME), "it", sleep=sleep, clock=time.clock):
        assert time.now < 2
    assert other.acquire(blocking=False)
    other.release()
