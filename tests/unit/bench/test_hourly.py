# SPDX-License-Identifier: Apache-2.0
"""A chain that goes on from one full container to the next, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import hourly
from datera_backup.container import FileDevice, container

BACKUPS = 250
"""The fewest of which each tenth opens the container once; more than the volume has blocks."""


@pytest.fixture(autouse=True)
def small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halve the volume: the last backups still have blocks in three containers. Sync nothing."""
    monkeypatch.setattr(hourly, "BLOCKS", 128)
    monkeypatch.setattr(FileDevice, "flush", lambda _device: None)


def test_the_chain_goes_on_in_a_new_container_and_reads_back_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "MAX_ENTRIES", 100)
    hourly.measure(tmp_path, BACKUPS)
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("| ") and "backups" not in line]
    assert [row.split(" | ")[0] for row in rows][-1] == f"| {BACKUPS}"
    assert rows[-1].split(" | ")[1] == "3"
    assert len(rows) == hourly.TENTHS
    assert lines[-1] == "84 backups were read back, the first and the last among them: all right."


def test_a_backup_that_reads_back_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hourly, "_written", lambda at, number: 0)
    with pytest.raises(AssertionError, match="block 1 of backup 3 is not what was stored"):
        hourly.measure(tmp_path, BACKUPS)
