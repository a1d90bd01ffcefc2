# SPDX-License-Identifier: Apache-2.0
"""The map of a salvage is one by the rules of GNU ddrescue's manual, "Mapfile structure"."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from backup_dispatch.command.rescue_map import lines, opened
from datera_backup.engine.recovery import Missing

NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")


def parsed(text: Iterable[str]) -> list[tuple[int, int, str]]:
    """Read a map as ddrescue does: comments, a line of status, then the blocks."""
    rows = [line.split() for line in text if line and not line.startswith("#")]
    position, status, *number = rows[0]
    assert NUMBER.fullmatch(position)
    assert status in ["?*/-F", "G+"] or status in "?*/-FG+"
    assert not number or int(number[0]) >= 1
    blocks = []
    expected = 0
    for start, size, state in rows[1:]:
        assert NUMBER.fullmatch(start)
        assert NUMBER.fullmatch(size)
        assert state in set("?*/-+")
        assert int(start, 0) == expected
        assert int(size, 0) > 0
        expected += int(size, 0)
        blocks.append((int(start, 0), int(size, 0), state))
    return blocks


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([], [(0, 100, "+")]),
        ([(0, 100)], [(0, 100, "-")]),
        ([(0, 10)], [(0, 10, "-"), (10, 90, "+")]),
        ([(90, 10)], [(0, 90, "+"), (90, 10, "-")]),
        ([(10, 10), (20, 5)], [(0, 10, "+"), (10, 15, "-"), (25, 75, "+")]),
        (
            [(40, 10), (10, 10)],
            [(0, 10, "+"), (10, 10, "-"), (20, 20, "+"), (40, 10, "-"), (50, 50, "+")],
        ),
        ([(10, 30), (20, 5)], [(0, 10, "+"), (10, 30, "-"), (40, 60, "+")]),
    ],
)
def test_its_positions_are_contiguous_and_its_sizes_add_up(
    missing: list[tuple[int, int]], expected: list[tuple[int, int, str]]
) -> None:
    found = [Missing(offset, length, "of a\nreason") for offset, length in missing]
    assert parsed(lines(100, found, "A test's.")) == expected


def test_of_a_volume_without_bytes_it_has_no_block() -> None:
    assert parsed(lines(0, [], "Of nothing.")) == []


def test_it_says_where_what_is_missing_and_why() -> None:
    text = list(lines(1 << 20, [Missing(4096, 512, "gone\nfor good")], "Of a\nvolume."))
    assert "# 0x1000: gone for good" in text
    assert text[0] == "# Mapfile. Of a volume."
    assert all("\n" not in line for line in text)


def test_no_other_user_may_read_a_salvaged_volume(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with opened(tmp_path / "volume") as file:
            file.write(b"secret")
    finally:
        os.umask(before)
    assert (tmp_path / "volume").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        opened(tmp_path / "volume")
