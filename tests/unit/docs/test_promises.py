# SPDX-License-Identifier: Apache-2.0
"""What the page about promises names as their tests is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "promises.md"


def test_each_folder_of_faults_stands_on_the_page() -> None:
    folders = {path.parent.name for path in (ROOT / "tests" / "faults").rglob("test_*.py")}
    assert folders
    assert {name for name in folders if f"`{name}`" not in PAGE.read_text()} == set()


def test_each_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:tests/|volumes/)[\w/.]+)`", PAGE.read_text())
    assert named
    for name in named:
        assert any((base / name).exists() for base in (ROOT, ROOT / "tests" / "faults")), name
