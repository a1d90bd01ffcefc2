# SPDX-License-Identifier: Apache-2.0
"""A command that is measured, and the memory that a process adds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.measuring import process
from tests.fixtures.pages import ROOT


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(process.Failed, match="no such thing"):
        process.run(
            [sys.executable, "-c", "raise SystemExit('no such thing')"],
            folder=tmp_path,
            environment={},
        )


@pytest.mark.parametrize("image", [None, 100 << 20])
def test_measured_memory_is_what_the_process_added(tmp_path: Path, image: int | None) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(image or 0)
    script = (
        "from pathlib import Path; from bench.measuring.process import Measured;"
        f"measured = Measured({f'Path({str(path)!r})' if image else ''});"
        "block = b'x' * (64 << 20); del block; print(measured.so_far()['memory'] >> 20)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 60 <= int(done.stdout) <= 80
