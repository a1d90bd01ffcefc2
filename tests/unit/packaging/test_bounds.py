# SPDX-License-Identifier: Apache-2.0
"""Files and folders stay as small as docs/development.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MOST_LINES = 400
MOST_MODULES = 16
SHIPPED = ("backup_dispatch", "datera_backup", "datera_emulator", "datera_volume")
BESIDE = ("bench", "demo", "deploy")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", [*SHIPPED, *BESIDE, "tests"])
def test_no_module_is_longer_than_the_bound(package: str) -> None:
    lines = {path: len(path.read_text().splitlines()) for path in modules(package)}
    assert lines
    assert {str(path): n for path, n in lines.items() if n > MOST_LINES} == {}


@pytest.mark.parametrize("package", [*SHIPPED, *BESIDE])
def test_no_folder_has_more_modules_than_the_bound(package: str) -> None:
    counts: dict[Path, int] = {}
    for path in modules(package):
        counts[path.parent] = counts.get(path.parent, 0) + (path.name != "__init__.py")
    assert {str(folder): n for folder, n in counts.items() if n > MOST_MODULES} == {}
