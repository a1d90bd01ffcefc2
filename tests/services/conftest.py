# SPDX-License-Identifier: Apache-2.0
"""One private folder for the servers of a run, and the guest that runs beside its tests."""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.services.stack.run_folder import RunFolder

RUN_FOLDER = pytest.StashKey[RunFolder]()


def pytest_configure(config: pytest.Config) -> None:
    """Stop the servers when the run is terminated: fixtures are finalized after an interrupt."""
    if config.option.collectonly:
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    config.stash[RUN_FOLDER] = folder = RunFolder()
    config.option.basetemp = str(folder.path / "tests")


def pytest_keyboard_interrupt() -> None:
    """Ignore further interrupts during the clean-up: they would leave servers behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests last whose work takes long in the background."""
    items.sort(key=wants_the_kernels_initiator)


def wants_the_kernels_initiator(item: pytest.Item) -> bool:
    """Return whether a test waits for the guest."""
    return isinstance(item, pytest.Function) and "kernel_initiator" in item.fixturenames


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the path of the servers' logs to each failure."""
    report = yield
    if report.failed:
        place = item.config.stash[RUN_FOLDER].keep_logs()
        report.sections.append(("the servers' logs", f"{place} keeps them"))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind except the logs of a failed run."""
    if RUN_FOLDER in config.stash:
        config.stash[RUN_FOLDER].close()


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """The folder of this run, with a short name because of sockets."""
    return pytestconfig.stash[RUN_FOLDER].path


@pytest.fixture(scope="session")
def kernel_initiator(run_folder: Path) -> Iterator[Future[tuple[int, str]]]:
    """The result of the tests in the guest, which are running."""
    from tests.services.stack.guests.kernel_initiator import kernel_initiator_under_way

    with kernel_initiator_under_way(run_folder / "guest") as under_way:
        yield under_way


@pytest.fixture(scope="session", autouse=True)
def guest_from_the_start(request: pytest.FixtureRequest) -> None:
    """Boot the guest with the first test: it mostly waits, and takes longer than any other."""
    if any(wants_the_kernels_initiator(item) for item in request.session.items):
        request.getfixturevalue("kernel_initiator")
