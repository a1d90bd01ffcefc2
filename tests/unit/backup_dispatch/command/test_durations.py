# SPDX-License-Identifier: Apache-2.0
"""Durations on the command line, and in words."""

from __future__ import annotations

import argparse
from datetime import timedelta

import pytest

from backup_dispatch.command.durations import duration, in_words


@pytest.mark.parametrize(
    ("text", "long"),
    [("45m", timedelta(minutes=45)), ("2h", timedelta(hours=2)), ("1d", timedelta(days=1))],
)
def test_duration_is_read(text: str, long: timedelta) -> None:
    assert duration(text) == long


@pytest.mark.parametrize("text", ["", "2", "2s", "0h", "-1h", "1.5h", "1w", "99999999d", "٣h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"), (29, "29 s"), (31, "1 min"), (59 * 60, "59 min"), (3600, "1 h 00 min"),
        (7499, "2 h 05 min"), (47 * 3600, "47 h 00 min"), (52 * 3600, "2 d 4 h"),
    ],
)  # fmt: skip
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
