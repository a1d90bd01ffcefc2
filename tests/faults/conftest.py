# SPDX-License-Identifier: Apache-2.0
"""How much of the faults a run tries, its seed, and in the end how many it tried.

What stands in this folder runs with all tests, a small part of it; `make test-faults` runs all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.faults.extent import EXTENT, Extent, seed_of_the_run
from tests.unit.conftest import coordinated

__all__ = ["coordinated"]

# Chosen before pytest-xdist starts its processes, for they inherit it.
SEED = seed_of_the_run()
HERE = Path(__file__).parent
TALLIED = "tally: "


def pytest_report_header() -> str:
    """Say how to repeat the run."""
    return f"faults: {EXTENT.value}, SEED={SEED}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count all that is here to the faults, unless this run is of all tests."""
    for item in items:
        if EXTENT is not Extent.SMALL and item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.faults)
    # It takes longest; and what a process has held before it would be measured, too.
    items.sort(key=lambda item: item.path.parent != HERE / "load")


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Count what a test tried, in words such as "requests failed": the summary adds it up."""
    return lambda what, count: record_property(TALLIED + what, count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what all tests together tried, and by which seed."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name.startswith(TALLIED) and report.when == "call":
                    total[name.removeprefix(TALLIED)] += int(value)
    if total:
        terminalreporter.write_line(f"faults tried ({EXTENT.value}, SEED={SEED}):")
        for what in sorted(total):
            terminalreporter.write_line(f"  {total[what]:>11,} {what}")
