# SPDX-License-Identifier: Apache-2.0
"""On whose behalf processor time is spent, by the files of the stack that spends it."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from bench.measuring import sampling

TOP = f"{Path(sampling.__file__).resolve().parents[2]}"
MANAGER = "/packages/cinder/backup/manager.py"
DRIVER = f"{TOP}/datera_backup/driver.py"
DATABASE = "/packages/cinder/db/api.py"
SQL = "/packages/sqlalchemy/orm/query.py"
TEST = f"{TOP}/tests/fixtures/cinder/messaging.py"


@pytest.mark.parametrize(
    ("files", "work"),
    [
        ([DRIVER, MANAGER], (sampling.OURS, "Python")),
        ([SQL, DATABASE, DRIVER, MANAGER], (sampling.OURS, "database")),
        ([SQL, DATABASE, MANAGER, TEST], (sampling.CINDERS, "database")),
        (
            ["/packages/urllib3/pool.py", f"{TOP}/datera_volume/connection/transport/http.py"],
            (sampling.OURS, "requests"),
        ),
        (["/python/subprocess.py", "/packages/os_brick/executor.py"], ("Cinder's", "commands")),
        ([TEST], (sampling.BENCH, "Python")),
    ],
)
def test_time_is_spent_for_whoever_called_last_of_cinder_and_us(
    files: list[str], work: tuple[str, str]
) -> None:
    assert sampling.work_in(files) == work


def test_what_other_threads_spend_counts_as_theirs() -> None:
    def spend() -> None:
        for _ in range(20):
            hashlib.sha256(bytes(10_000_000)).digest()

    with sampling.Sampler() as sampler:
        spend()
        thread = threading.Thread(target=spend)
        thread.start()
        thread.join()
        spend()
    assert sampler.seconds[sampling.BENCH, "Python"] > 0
    assert sampler.seconds[sampling.OURS, sampling.THREADS] > 0
