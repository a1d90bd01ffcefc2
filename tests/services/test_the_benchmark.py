# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures Cinder's Ceph driver with a Ceph of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from demo.processes import PROJECT, environment

SECONDS = 300


def test_ceph_has_a_full_backup_and_a_restore(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "bench", "--size", "32M", "--runs", "1", "--no-service",
            "--peers", "ceph", "--directory", tmp_path, "--format", "json",
        ],
        cwd=PROJECT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["absent"] == []
    assert list(found["figures"]["ceph"]) == ["full", "restore"]
    (full,) = found["figures"]["ceph"]["full"]
    assert full["seconds"] > 0
    assert full["servers"] > 0
    assert full["stored"] > 32 << 20
    assert not list(tmp_path.iterdir())
