# SPDX-License-Identifier: Apache-2.0
"""What every test process needs before Cinder is imported, and fixtures that suites share."""

from __future__ import annotations

import gc
import importlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from backup_dispatch.search_path import clean_path
from tests.fixtures.release_tests import without_release_tests

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

# Cinder and its libraries look proxies up; nothing in a test leaves this machine.
for _name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(_name, None)

clean_path()

# A shell lets what it starts in the background ignore it, and processes of the tests would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Of some million objects of Cinder's hardly any is ever garbage: looking through them again and
# again was a sixth of a test's time.
gc.set_threshold(200_000, 20, 50)


DEMO_CINDER = 29
DEMO_FOLDERS = {"demo", "packaging"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """See that nothing lost its marker, skip what this Cinder is not for, and begin with servers.

    :raises pytest.UsageError: a part of a suite has no test that is marked ``release``.
    """
    if lacking := without_release_tests(config.rootpath, config.args, items):
        raise pytest.UsageError(f"no test is marked `release` in {', '.join(lacking)}")
    _skip_demo_and_distribution(items)
    # Few tests that take long: begun last, they would leave the other processor idle.
    items.sort(key=lambda item: DEMO_FOLDERS.isdisjoint(item.path.parts))


def _skip_demo_and_distribution(items: list[pytest.Item]) -> None:
    """They are made with one Cinder alone, in processes that choose their threads themselves."""
    try:
        release = int(metadata.version("cinder").partition(".")[0])
    except metadata.PackageNotFoundError:
        return  # the connection layer is tested without any
    from tests.fixtures.cinder.patching import is_patched

    if release != DEMO_CINDER:
        reason = f"the demo and the distribution are made with Cinder {DEMO_CINDER}, not {release}"
    elif is_patched():
        reason = "what the demo and the distribution start is the same beside green threads"
    else:
        return
    for item in items:
        if DEMO_FOLDERS.intersection(item.path.parts):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def iscsi_alone() -> None:
    """Let os-brick look for nothing but iSCSI on this machine."""
    from tests.fixtures.cinder.host_connectors import look_for_iscsi_alone

    look_for_iscsi_alone()


@pytest.fixture(scope="session")
def cinder_imported() -> None:
    """Import Cinder, which stays as long as the process: no garbage to look for in it."""
    # Cinder's managers can be imported only after its objects have been registered.
    from cinder import objects

    objects.register_all()
    importlib.import_module("tests.fixtures.cinder.service")
    gc.freeze()


@pytest.fixture
def start_cinder(
    tmp_path: Path, run_directory: Path, cinder_imported: None, iscsi_alone: None
) -> Iterator[Callable[..., CinderService]]:
    """Start a Cinder with the given lines of cinder.conf; see :class:`CinderService`."""
    from tests.fixtures.cinder.service import CinderService

    with ExitStack() as running:

        def start(**options: Any) -> CinderService:
            return running.enter_context(
                CinderService(tmp_path, template_folder=run_directory, **options)
            )

        yield start
