# SPDX-License-Identifier: Apache-2.0
"""The line that says how far a verification is."""

from __future__ import annotations

import io

import pytest

from backup_dispatch.command.progress import ProgressLine

MIB = 2**20


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_line_is_overwritten_and_erased() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock, width=10) as line:
        clock.now = 1.0
        line(MIB, 4 * MIB)
        line(2 * MIB, 4 * MIB)
        clock.now = 2.0
        line(4 * MIB, 4 * MIB)
    first, second, blank, rest = stream.getvalue().split("\r")[1:]
    assert first == "[##--------]  25% 1.0 MiB of 4.0 MiB 1.0 MiB/s, 3 s left"
    assert second.rstrip() == "[##########] 100% 4.0 MiB of 4.0 MiB 2.0 MiB/s"
    assert (len(second), blank.strip(), rest) == (len(first), "", "")


@pytest.mark.parametrize(
    ("passed", "left"),
    [(1.0, ", 9 s left"), (60.0, ", 9 min left"), (9000.0, ", 22 h left"), (1e5, ", days left")],
)
def test_progress_line_tells_the_time_left(passed: float, left: str) -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock) as line:
        clock.now = passed
        line(MIB, 10 * MIB)
    assert stream.getvalue().split("\r")[1].endswith(left)


def test_progress_line_fits_the_terminal() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock) as line:
        clock.now = 1.0
        line(1000 * 2**30, 1023 * 2**30)
        clock.now = 90000.0
        line(1001 * 2**30, 1023 * 2**30)
        clock.now = 2.0
        line(999, 0)
    assert max(map(len, stream.getvalue().split("\r"))) < 80


def test_progress_line_is_erased_after_an_error() -> None:
    stream = Terminal()

    def cancelled() -> None:
        with ProgressLine(stream) as line:
            line(1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cancelled()
    assert stream.getvalue().endswith(" \r")


def test_progress_line_is_not_written_without_a_terminal() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as line:
        line(1, 2)
    assert stream.getvalue() == ""
