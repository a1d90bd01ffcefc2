# SPDX-License-Identifier: Apache-2.0
"""A chain that goes on from one full container to the next, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import hourly
from datera_backup.container import container


def test_the_chain_goes_on_in_a_new_container_and_reads_back_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "MAX_ENTRIES", 120)
    hourly.measure(tmp_path, 300)
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("| ") and "backups" not in line]
    assert [row.split(" | ")[0] for row in rows][-1] == "| 300"
    assert rows[-1].split(" | ")[1] == "3"
    assert len(rows) == hourly.TENTHS
    assert lines[-1] == "101 backups were read back, the first and the last among them: all right."


def test_a_backup_that_reads_back_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hourly, "_written", lambda at, number: 0)
    with pytest.raises(AssertionError, match="block 1 of backup 3 is not what was stored"):
        hourly.measure(tmp_path, 300)
