# SPDX-License-Identifier: Apache-2.0
"""Deletions that a crash interrupted: Cinder resumes them while the driver's check runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.cinder.cloud_process import perform

pytestmark = [pytest.mark.release, pytest.mark.long]


def test_deletions_are_resumed_on_a_slow_cluster(
    tmp_path: Path, run_directory: Path, array: Any, options: Callable[..., str]
) -> None:
    act = partial(
        perform,
        directory=tmp_path / "cloud",
        template_folder=run_directory,
        defaults=options(backup_datera_503_timeout=30),
        patched=True,
    )
    left = act("tests.fixtures.crash:die_while_deleting", ["one", "two"])
    assert len(array.names) == 2
    array.emulator.faults.slow(0.2, times=None)
    assert act("tests.fixtures.crash:start_again", left) == {"one": None, "two": None}
    assert array.names == []
