# SPDX-License-Identifier: Apache-2.0
"""The report reads well on a narrow terminal, on a wide one, and in a file."""

import io

import pytest
from rich.console import Console

from demo.report import Report


def a_report(width: int, *, terminal: bool = False) -> tuple[Report, io.StringIO]:
    out = io.StringIO()
    ticks = iter(range(100))
    console = Console(file=out, width=width, force_terminal=terminal, highlight=False)
    return Report(console, clock=lambda: float(next(ticks))), out


@pytest.mark.parametrize("width", [80, 120])
def test_a_step_gives_one_line_and_one_row(width: int) -> None:
    report, out = a_report(width)

    with report.step("back up monday", backend="datera", total=4 * 10**9) as step:
        step.row.moved = 2 * 10**9
        step.row.verdict = "stored 1.0 GB"
    report.table()

    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0] == "   back up monday: 2.0 GB, 1.0 s, 2000 MB/s"
    assert lines[1].split() == ["step", "backend", "bytes", "seconds", "MB/s", "verdict"]
    assert lines[2].split()[:5] == ["back", "up", "monday", "datera", "2.0"]
    assert len(lines) == 3
    assert "\x1b" not in out.getvalue()


def test_a_step_that_fails_is_in_the_table() -> None:
    report, out = a_report(80)

    with pytest.raises(RuntimeError), report.step("compare"):
        raise RuntimeError
    report.table()

    assert "FAILED" in out.getvalue()


def test_a_long_command_goes_on_where_a_shell_takes_it() -> None:
    report, out = a_report(80)

    report.command("openstack " + "word " * 20)

    lines = out.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert "".join(lines).replace("\\", " ").split() == ["$", "openstack", *["word"] * 20]


def test_a_step_with_much_to_say_goes_on_in_the_next_line() -> None:
    report, out = a_report(80)

    with report.step("restore datera_tuesday", backend="datera") as step:
        step.row.moved = 2 * 10**9
        step.remark = "into the new volume from_datera_tuesday"
    report.note("on the cluster: " + 20 * "word ")

    assert out.getvalue().splitlines()[:2] == [
        "   restore datera_tuesday: 2.0 GB, 1.0 s, 2000 MB/s, into the new volume",
        "         from_datera_tuesday",
    ]
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())


def test_square_brackets_are_no_markup() -> None:
    report, out = a_report(80)

    report.closing("[datera] says [/no]", good=False)

    assert "[datera] says [/no]" in out.getvalue()


def test_a_terminal_gets_a_bar_while_bytes_move() -> None:
    report, out = a_report(120, terminal=True)

    with report.step("fill it", total=1000) as step:
        step.progress(2000)

    assert "1.0/1.0 kB" in out.getvalue()
