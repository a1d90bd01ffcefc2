# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures Cinder's Ceph driver with a Ceph of its own, which ends with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.servers.processes import PROJECT, environment
from demo.waiting import until

SECONDS = 300


@contextmanager
def benchmark(folder: Path, *further: str) -> Iterator[subprocess.Popen[str]]:
    """Run it in a folder; it is killed if it does not exit."""
    command = [sys.executable, "-m", "bench", "--size", "32M", "--runs", "1", "--no-service"]
    with subprocess.Popen(
        [*command, "--peers", "ceph", "--directory", folder, "--format", "json", *further],
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def daemons_in(folder: Path) -> list[int]:
    """Return the processes that have their Ceph in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"CEPH_CONF={folder}/".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has exited, or is another user's
            continue
    return found


def test_ceph_has_a_full_backup_and_a_restore(tmp_path: Path) -> None:
    with benchmark(tmp_path) as running:
        output, errors = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, errors
    found = json.loads(output)
    assert found["absent"] == []
    assert list(found["figures"]["ceph"]) == ["full", "restore"]
    (full,) = found["figures"]["ceph"]["full"]
    assert full["seconds"] > 0
    assert full["servers"] > 0
    assert full["stored"] > 32 << 20
    assert daemons_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_volumes_in_ceph_are_backed_up_and_restored(tmp_path: Path) -> None:
    with benchmark(tmp_path, "--rbd", "1G") as running:
        output, errors = running.communicate(timeout=SECONDS)
    assert running.returncode == 0, errors
    rows = json.loads(output)["rbd"]
    assert [
        (row["volume"], row["driver"], row["bytes"] >> 20, list(row["steps"])) for row in rows
    ] == [
        ("file", "datera", 32, ["full", "unchanged", "restore"]),
        ("small", "datera", 32, ["full", "unchanged", "restore"]),
        ("large", "datera", 1024, ["full", "unchanged", "restore"]),
        ("large", "ceph", 1024, ["full", "unchanged"]),
    ]
    assert all(run["seconds"] > 0 for row in rows for (run,) in row["steps"].values())
    assert daemons_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_ceph_ends_with_a_benchmark_that_is_interrupted(tmp_path: Path) -> None:
    with benchmark(tmp_path) as running:

        def measures() -> bool:
            assert running.poll() is None
            return any(tmp_path.glob("bench-*/work/ceph/ceph-osd.0.asok"))

        until("Ceph's OSD", measures, seconds=SECONDS)
        assert daemons_in(tmp_path)
        # As a user in a hurry would.
        running.send_signal(signal.SIGINT)
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=SECONDS)
    assert running.returncode == 130
    assert errors.endswith("interrupted; nothing that it started is left running\n")
    assert daemons_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
