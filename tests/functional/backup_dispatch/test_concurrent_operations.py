# SPDX-License-Identifier: Apache-2.0
"""Eight native threads at work on three backends, beside one that burns the processor."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backup_dispatch.process import this_process
from tests.fixtures.cinder import file_volume
from tests.fixtures.cinder.database import threads_writing_in_turn
from tests.fixtures.cinder.patching import is_patched

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(is_patched(), reason="green threads change places only where they wait"),
]

DISPATCHER = "backup_driver = backup_dispatch.driver.BackupDispatcher"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"
THREADS = 8
MADE, ASKED = 4_000, 16_000
"""Together the operations of the first storm."""

BACKENDS = ("east", "west", "shelf_driver")
FOLDERS = ("east", "west", "shelf")
"""Where each of them keeps its backups."""


@pytest.fixture
def cinder(start_cinder: Callable[..., Any], shelf: Any) -> Iterator[Any]:
    sections = [
        f"[{name}]\nbackup_driver = {driver}\n{option}\n"
        for name, driver, option in (
            ("east", "posix", "backup_posix_path = $state_path/east"),
            ("west", "posix", "backup_posix_path = $state_path/west"),
            ("shelf_driver", "tests.fixtures.backends.shelf_driver", ""),
        )
    ]
    yield start_cinder(
        defaults=f"{DISPATCHER}\nenabled_backup_backends = {', '.join(BACKENDS)}",
        sections="\n".join(sections),
    )
    this_process().stop_checking()


@contextmanager
def busy_processor() -> Iterator[None]:
    """Another thread that never waits, and threads that change places as often as can be."""
    over = threading.Event()

    def burn() -> None:
        while not over.is_set():
            pass

    burner = threading.Thread(target=burn)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    burner.start()
    try:
        yield
    finally:
        over.set()
        sys.setswitchinterval(interval)
        burner.join()


def in_threads(work: Callable[[int], None]) -> None:
    """Run it in each of the threads at once; raises what one of them raised."""
    together = threading.Barrier(THREADS, timeout=60)

    def begun(number: int) -> None:
        together.wait()
        work(number)

    with busy_processor(), ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(begun, range(THREADS)))


def test_a_storm_of_operations_disowns_no_backup(cinder: Any) -> None:
    manager = cinder.backup_manager
    disowned: list[str] = []
    making = [threading.Event() for _ in range(THREADS // 2)]

    def operate(number: int) -> None:
        # What Cinder does for each call: it makes a driver, and asks whose the record is. Each half
        # of the threads does one of them: where all did both, they would queue for the making.
        if number < len(making):
            try:
                for _ in range(MADE // len(making)):
                    manager.service(cinder.context)
            finally:
                making[number].set()
            return
        asked = 0
        while asked < ASKED // len(making) or not all(one.is_set() for one in making):
            asked += 1
            disowned.extend(
                text for text in (POSIX, f"{POSIX}@west") if not manager._is_our_backup(text)
            )

    in_threads(operate)
    assert not disowned


def test_a_storm_of_chains_on_three_backends_loses_nothing(
    cinder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_volume, "SIZE_OF_A_GIB", 2**18)
    cinder.backups.db.quota_create(cinder.context, cinder.context.project_id, "backups", -1)
    volumes = [cinder.create_volume(1, name=f"volume {number}") for number in range(THREADS)]

    def live(number: int) -> None:
        volume = volumes[number]
        made = []
        for step, at in enumerate((number % 3, (number + 1) % 3, number % 3)):
            name = BACKENDS[at]
            cinder.write(volume, step * 4096, bytes([8 * step + number + 1]) * 4096)
            backup = cinder.create_backup(volume, f"{name}_{number}", incremental=step == 2)
            assert backup.status == "available", backup.fail_reason
            assert backup.metadata["backup_backend"] == name
            kept = [one for one in FOLDERS if Path(tmp_path, one, backup.container).is_dir()]
            assert kept == [FOLDERS[at]]
            made.append(backup)
        assert made[2].parent_id == made[0].id
        content = cinder.read(volume, 0, 3 * 4096)
        cinder.write(volume, 0, b"lost" * 4096)
        assert cinder.restore_backup(made[2], volume).status == "available"
        assert cinder.read(volume, 0, 3 * 4096) == content
        for backup in reversed(made):
            left = cinder.delete_backup(backup)
            assert left is None, left.fail_reason

    with threads_writing_in_turn():
        in_threads(live)
    assert not cinder.failures
    assert not list(tmp_path.rglob("*_backup_*"))
