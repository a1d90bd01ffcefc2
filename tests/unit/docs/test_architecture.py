# SPDX-License-Identifier: Apache-2.0
"""What docs/architecture.md names is there."""

from __future__ import annotations

import re

import pytest

from tests.fixtures.pages import ROOT

PAGES = ("architecture.md", "development.md", *(f"decisions/{p}" for p in ("native-threads.md",)))
PACKAGES = ("backup_dispatch", "bench", "datera_backup", "datera_emulator", "datera_volume", "demo")
PATH = re.compile(rf"`((?:{'|'.join((*PACKAGES, 'tests'))})(?:/\w+)*(?:\.py|/)?)`(?:: `(\w+)`)?")


@pytest.mark.parametrize("page", PAGES)
def test_each_path_of_a_page_is_there(page: str) -> None:
    named = PATH.findall((ROOT / "docs" / page).read_text())
    assert named
    for path, function in named:
        assert (ROOT / path).exists(), path
        if function:
            assert f"def {function}(" in (ROOT / path).read_text(), (path, function)


def test_each_package_that_ships_stands_among_the_places() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    places = page.partition("## Where is")[2].partition("## Locks")[0]
    for package in ("backup_dispatch", "datera_backup", "datera_emulator", "datera_volume"):
        assert f"`{package}/" in places, package
