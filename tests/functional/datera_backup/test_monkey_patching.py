# SPDX-License-Identifier: Apache-2.0
"""The driver works where eventlet has replaced threads and sockets, and stalls nobody there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.cinder.patching import EVENTLET

pytestmark = pytest.mark.release

SCRIPT = Path(__file__).with_name("patched_service.py")
ROOT = Path(__file__).parents[3]


def test_a_chain_goes_there_and_back_under_monkey_patching(
    array: Any, options: Callable[..., str], tmp_path: Path, run_directory: Path
) -> None:
    folder = tmp_path / "patched"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(run_directory), options()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **EVENTLET, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failures"] == []
    assert found["states"] == ["available"] * 3
    assert found["same"]
    assert found["beats"] > 20
    assert found["longest"] < 200
    assert found["busiest"] < 1.0
    assert array.names == []
