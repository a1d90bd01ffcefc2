# SPDX-License-Identifier: Apache-2.0
"""Two runs of tests at once: whose each line is, how they end, and which ports are whose."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.services.side_by_side import PARTS, side_by_side

PROJECT = Path(__file__).resolve().parents[3]
WAITS = """
import sys, time
try:
    print('begun', flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print('stopped in peace')
    sys.exit(2)
"""
RUNNER = f"""
import sys
from tests.services.side_by_side import side_by_side
waits = [sys.executable, '-c', {WAITS!r}]
sys.exit(side_by_side({{'one': waits, 'other': waits}}))
"""


def says(text: str, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"print({text!r}); raise SystemExit({status})"]


def test_each_line_says_whose_it_is_and_the_summaries_come_last(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert side_by_side({"one": says("1 passed"), "other": says("begun\n2 passed")}) == 0
    *told, first, second = capfd.readouterr().out.splitlines()
    assert sorted(told) == ["one   | 1 passed", "other | 2 passed", "other | begun"]
    assert (first, second) == ("1 passed", "2 passed")


@pytest.mark.parametrize("statuses", [(0, 3), (3, 0), (3, 1)])
def test_a_part_that_fails_fails_the_run(statuses: tuple[int, int]) -> None:
    one, other = statuses
    assert side_by_side({"one": says("", one), "other": says("", other)}) == 3


def test_an_interrupt_lets_both_parts_end_cleanly() -> None:
    command = [sys.executable, "-c", RUNNER]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout is not None
        begun = sorted(runner.stdout.readline() for _ in range(2))
        assert begun == ["one   | begun\n", "other | begun\n"]
        runner.send_signal(signal.SIGINT)
        told = runner.stdout.read().splitlines()
    assert sorted(told[:2]) == ["one   | stopped in peace", "other | stopped in peace"]
    assert runner.returncode == 2


def test_every_file_that_the_parts_name_exists() -> None:
    paths = [path.removeprefix("--ignore=") for part in PARTS.values() for path in part]
    assert [path for path in paths if not (PROJECT / path).exists()] == []


HOLDS = """
import sys
from tests.services.stack.servers import loopback
loopback.FIRST = int(sys.argv[1])
loopback.END = loopback.FIRST + 2 * loopback.BLOCK
print(loopback.free_port() // loopback.BLOCK, flush=True)
sys.stdin.read()
"""


def test_each_process_is_given_ports_of_a_block_that_no_other_has() -> None:
    # None that the tests on real servers may have on this machine at this moment.
    holds = [sys.executable, "-c", HOLDS, str(random.randrange(40_000, 60_000, 1_000))]
    with ExitStack() as running:
        blocks = set()
        for _ in range(2):
            holder = running.enter_context(
                subprocess.Popen(
                    holds,
                    cwd=PROJECT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            assert holder.stdout is not None
            blocks.add(int(holder.stdout.readline()))
        assert len(blocks) == 2
        third = subprocess.run(holds, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert "no port of the loopback interface is free" in third.stderr
