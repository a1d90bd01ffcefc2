# SPDX-License-Identifier: Apache-2.0
"""A whole cloud of real servers, started once for all stories."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.services.stack.run_folder import RunFolder

if TYPE_CHECKING:
    from tests.services.stack.cloud import Cloud
    from tests.services.stack.project import Project

RUN_FOLDER = pytest.StashKey[RunFolder]()


def pytest_configure(config: pytest.Config) -> None:
    """Let whoever ends the run end the servers too: fixtures are undone after an interrupt."""
    if config.option.collectonly:
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    config.stash[RUN_FOLDER] = folder = RunFolder()
    config.option.basetemp = str(folder.path / "tests")


def pytest_keyboard_interrupt() -> None:
    """Stop what runs in peace: a second interrupt would leave the rest behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ask last for what takes long beside all others."""
    items.sort(key=wants_the_kernels_initiator)


def wants_the_kernels_initiator(item: pytest.Item) -> bool:
    """Tell whether a test waits for what runs in the guest."""
    return isinstance(item, pytest.Function) and "kernel_initiator" in item.fixturenames


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Name the place of the servers' logs in each failure."""
    report = yield
    if report.failed:
        place = item.config.stash[RUN_FOLDER].keep_logs()
        report.sections.append(("the servers' logs", f"{place} keeps them"))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind but the logs of a run that failed."""
    if RUN_FOLDER in config.stash:
        config.stash[RUN_FOLDER].close()


@pytest.fixture(scope="session")
def run_folder(pytestconfig: pytest.Config) -> Path:
    """The folder of this run: a short name, for what makes sockets."""
    return pytestconfig.stash[RUN_FOLDER].path


@pytest.fixture(scope="session")
def kernel_initiator(run_folder: Path) -> Iterator[Future[tuple[int, str]]]:
    """What comes of the tests in the guest, which are under way."""
    from tests.services.stack.kernel_initiator import kernel_initiator_under_way

    with kernel_initiator_under_way(run_folder / "guest") as under_way:
        yield under_way


@pytest.fixture(scope="session", autouse=True)
def guest_from_the_start(request: pytest.FixtureRequest) -> None:
    """Boot the guest with the first test: it mostly waits, and takes longer than any other."""
    if any(wants_the_kernels_initiator(item) for item in request.session.items):
        request.getfixturevalue("kernel_initiator")


@pytest.fixture(scope="session")
def cloud(run_folder: Path) -> Iterator[Cloud]:
    from tests.services.stack.cloud import Cloud

    running = Cloud(run_folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def alice(cloud: Cloud) -> Project:
    from tests.services.stack.project import Project

    return Project(cloud, "alice")


@pytest.fixture(scope="session")
def bob(cloud: Cloud) -> Project:
    from tests.services.stack.project import Project

    return Project(cloud, "bob")


@pytest.fixture(scope="session")
def only_host(cloud: Cloud) -> Callable[[str], AbstractContextManager[None]]:
    """Let one cinder-backup host have all restores and deletions."""
    from tests.services.stack.cinder import BACKUP_HOSTS

    @contextmanager
    def only(host: str) -> Iterator[None]:
        others = [other for other in BACKUP_HOSTS if other != host]
        for other in others:
            cloud.disable_backup(other)
        try:
            yield
        finally:
            for other in others:
                cloud.enable_backup(other)

    return only
