# SPDX-License-Identifier: Apache-2.0
"""What a process has once, however many operations begin at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cinder import objects

objects.register_all()

from cinder.backup import manager as _manager  # noqa: E402, F401 - registers backup_driver
from cinder.backup.drivers.posix import PosixBackupDriver  # noqa: E402
from oslo_config import cfg  # noqa: E402

from backup_dispatch import opts, process  # noqa: E402
from backup_dispatch.backends import configured  # noqa: E402
from backup_dispatch.backends.configured import Backend, Backends, with_owners  # noqa: E402
from backup_dispatch.backends.loading import load_entry  # noqa: E402
from backup_dispatch.backends.sections import Configured  # noqa: E402

THREADS = 4

CONFIGURATION = """\
[DEFAULT]
enabled_backup_backends = east, west
[east]
backup_driver = posix
[west]
backup_driver = posix
"""


@pytest.fixture
def conf(tmp_path: Path) -> Iterator[Any]:
    path = tmp_path / "cinder.conf"
    path.write_text(CONFIGURATION)
    cfg.CONF.register_opts(opts.OPTS)
    cfg.CONF([], project="cinder", default_config_files=[str(path)])
    configured.load.cache_clear()
    yield cfg.CONF
    configured.load.cache_clear()
    cfg.CONF.reset()


def at_once(call: Callable[[], Any]) -> list[Any]:
    together = threading.Barrier(THREADS, timeout=60)

    def begun(_number: int) -> Any:
        together.wait()
        return call()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begun, range(THREADS)))


def test_operations_that_begin_at_once_get_the_same_classes(
    conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading: list[str] = []
    second = threading.Event()

    def slow(entry: str, option: str) -> Any:
        loading.append(entry)
        if len(loading) > 2:
            second.set()
        # As long as it takes for another thread to begin, if it may.
        second.wait(0.2)
        return load_entry(entry, option)

    monkeypatch.setattr("backup_dispatch.backends.configured.load_entry", slow)
    first, *others = at_once(lambda: configured.configured(conf))
    assert loading == ["posix", "posix"]
    assert all(one is first for one in others)


def test_a_backend_that_was_loaded_anew_is_still_the_same_one(conf: Any) -> None:
    first = configured.configured(conf)
    configured.load.cache_clear()
    again = configured.configured(conf)
    assert [one.driver_class for one in again.enabled] != [
        one.driver_class for one in first.enabled
    ]
    assert again == first
    assert again.named("west") != first.named("east")


def test_a_backend_of_another_class_is_another_backend() -> None:
    class Other(PosixBackupDriver):
        pass

    one, other = (
        next(with_owners([("posix", Configured(driver))])) for driver in (PosixBackupDriver, Other)
    )
    assert one != other


def test_the_health_of_equal_backends_is_made_once(
    conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    second = threading.Event()

    def slow(backend: Backend) -> Callable[[], list[str]]:
        checked.append(backend.name)
        if len(checked) > 2:
            second.set()
        second.wait(0.1)
        return list

    monkeypatch.setattr(process, "check_of", slow)
    enabled = configured.configured(conf)
    equal = Backends(enabled.enabled, enabled.primary, enabled.known)
    state = process.Process()
    first, *others = at_once(lambda: state.health(enabled, conf))
    assert all(one is first for one in others)
    assert state.health(equal, conf) is first
    assert checked == ["east", "west"]
    state.stop_checking()


def test_threads_of_a_forked_process_share_one_state(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    second = threading.Event()

    class SlowlyMade(process.Process):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)
            if len(made) > 1:
                second.set()
            second.wait(0.2)

    monkeypatch.setattr(process, "_process", process.Process())
    monkeypatch.setattr(process, "Process", SlowlyMade)
    monkeypatch.setattr("backup_dispatch.process.os.getpid", lambda: -1)
    at_once(process.this_process)
    assert len(made) == 1
