# SPDX-License-Identifier: Apache-2.0
"""Eight backups and restores at once for long, on a cluster that fails: nothing grows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from datera_emulator import Emulator
from datera_emulator.target import brick
from tests.faults.load.resources import FEWEST, Held, growth, held_now
from tests.fixtures.backends.contract_backends import INITIATOR, datera_options
from tests.fixtures.cinder import file_volume
from tests.fixtures.cinder.patching import is_patched
from tests.fixtures.faults.extent import EXTENT, Extent, chance

pytestmark = [
    # Whether memory grows is told from noise in minutes, not in seconds.
    pytest.mark.skipif(EXTENT is not Extent.WHOLE, reason="a whole run alone takes its time"),
    pytest.mark.skipif(is_patched(), reason="green threads change places only where they wait"),
]

BACKENDS = ("datera", "datera", "datera", "posix") * 2
RATE = 0.02
KINDS = ("answer", "busy", "drop", "drop_applied", "empty", "expired_token", "html", "slow")
MIB = 2**20

SECONDS = 1200.0

# Between the two halves' medians.
MOST = Held(memory=8 * MIB, threads=2, descriptors=4, locks=0, lock_files=0)


class Formatted(logging.Handler):
    """Makes the text of each record, as a service does, and keeps none of them."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


@pytest.fixture
def logs_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest would keep all that is logged."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [Formatted()])


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(state_dir=tmp_path / "array") as running:
        brick.install(INITIATOR)
        yield running
        brick.uninstall()


@pytest.fixture
def cinder(
    start_cinder: Callable[..., Any],
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    logs_not_kept: None,
) -> Iterator[Any]:
    from backup_dispatch.process import this_process
    from datera_backup.storage.backend import forget_backends

    monkeypatch.setattr(file_volume, "SIZE_OF_A_GIB", MIB)
    lines = (
        "backup_driver = backup_dispatch.driver.BackupDispatcher",
        "enabled_backup_backends = datera, posix",
        datera_options(emulator),
        "backup_datera_503_timeout = 4",
        "backup_datera_503_interval = 1",
    )
    cinder = start_cinder(defaults="\n".join(lines))
    for what in ("backups", "volumes"):
        cinder.backups.db.quota_create(cinder.context, cinder.context.project_id, what, -1)
    yield cinder
    this_process().stop_checking()
    forget_backends()


def strike(emulator: Emulator) -> list[Any]:
    """Let two requests in a hundred fail, in one way or another."""
    # What hangs is dropped in the end; a creation carried out long after everybody has given it up
    # would leave something behind whatever a client does, so that only the others hang.
    hanging = ("GET", "PUT", "DELETE")
    share = RATE / (len(KINDS) + 1)
    seed = chance("load").getrandbits(32)
    return [
        emulator.faults.random(dict.fromkeys(KINDS, share), seed=seed, slow_seconds=0.1),
        *(
            emulator.faults.random({"hang": share}, seed=seed + 1, method=method, hang_seconds=2.0)
            for method in hanging
        ),
    ]


def left_over(emulator: Emulator, directory: Path) -> list[str]:
    """What there is although all backups were deleted."""
    cluster = emulator.cluster
    with cluster.lock:
        found = [one.name for one in cluster.app_instances.values()]
        found += [str(session) for session in cluster.sessions]
    return found + [path.name for path in (directory / "posix").rglob("*_backup_*")]


def test_backups_and_restores_at_once_hold_no_more_in_the_end_than_in_the_beginning(
    cinder: Any, emulator: Emulator, tmp_path: Path, tally: Callable[[str, int], None]
) -> None:
    from oslo_messaging.notify import _impl_test as notifications

    from tests.faults.load.workers import Load, User
    from tests.fixtures.cinder.database import threads_writing_in_turn

    load = Load(cinder, chance("load").getrandbits(32))
    users = [User(load, number, backend) for number, backend in enumerate(BACKENDS)]
    lock_folders = [tmp_path / "locks", tmp_path / "coordination"]
    measured: list[Held] = []
    # Cinder registers its policies at the first call, and not for several threads at once.
    users[0].live(-1)
    faults = strike(emulator)
    turn, deadline = 0, time.monotonic() + SECONDS
    with threads_writing_in_turn(), ThreadPoolExecutor(len(users)) as pool:
        # The first round imports what is imported late, and fills what is cached.
        while turn <= FEWEST or time.monotonic() < deadline:
            list(pool.map(lambda user, turn=turn: user.live(turn), users))
            assert left_over(emulator, tmp_path) == []
            # Tests' own: in a cloud both are somewhere else.
            cinder.failures.clear()
            notifications.reset()
            turn += 1
            if turn > 1:
                measured.append(held_now(lock_folders))
    for fault in faults:
        fault.end()
    hits = sum(sum(fault.hits.values()) for fault in faults)
    for what, number in {**load.done, "requests failed": hits, "rounds": turn}.items():
        tally(f"load: {what}", number)
    assert hits
    grown = growth(measured)
    for name in ("memory", "threads", "descriptors", "locks", "lock_files"):
        series = " ".join(f"{getattr(one, name):,}" for one in measured)
        assert getattr(grown, name) <= getattr(MOST, name), f"{name}: {series}"
