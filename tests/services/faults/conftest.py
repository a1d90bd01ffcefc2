# SPDX-License-Identifier: Apache-2.0
"""A cloud whose processes are killed, and how much of that a run tries; see tests/faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import pytest_report_header, pytest_terminal_summary, tally
from tests.services.faults.small_cloud import SmallCloud

__all__ = ["pytest_report_header", "pytest_terminal_summary", "tally"]

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def small_cloud(run_folder: Path) -> Iterator[SmallCloud]:
    running = SmallCloud(run_folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
