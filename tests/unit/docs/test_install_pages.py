# SPDX-License-Identifier: Apache-2.0
"""Each way to install has a page: files, how to see that it works, to go back, what was tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "docs" / "installation.md"
PAGES = sorted((ROOT / "docs" / "install").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_says_how_to_see_that_it_works_and_how_to_go_back(page: Path) -> None:
    headings = re.findall(r"^##+ (.*)$", page.read_text(), re.MULTILINE)
    assert {"How to see that it works", "How to go back", "What was tried"} <= set(headings)
    assert headings[-1] == "What was tried"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_file_that_a_page_names_is_in_the_sources(page: Path) -> None:
    named = re.findall(r"(?:\]\(|\} )(\.\./\.\./[\w./-]+)", page.read_text())
    named += [
        f"../../{path}"
        for path in re.findall(r"(?<!\w)(?:deploy|tests)/[\w-][\w./-]*\w", page.read_text())
    ]
    for path in named:
        assert (page.parent / path).exists(), path


def test_the_start_page_has_all_ways_and_what_was_run_on_what() -> None:
    start = START.read_text()
    table, _, tree = start.partition("```{toctree}")
    for page in PAGES:
        assert f"(install/{page.name})" in table
        assert f"\ninstall/{page.stem}\n" in tree
    assert "\n## What was run on what\n" in table


def test_no_recipe_is_without_a_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    recipes = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    recipes = [path for path in recipes if path.suffix not in (".py", ".pyc")]
    assert len(recipes) > 8
    for path in recipes:
        relative = path.relative_to(ROOT).as_posix()
        assert relative in text or relative.startswith("deploy/debian/"), relative


def test_what_a_tab_of_the_start_page_shows_stands_on_the_page_of_its_way() -> None:
    tabs = START.read_text().split(":::{tab-item} ")[1:]
    assert len(tabs) == len(PAGES)
    for tab in tabs:
        (name,) = re.findall(r"\(install/([\w-]+\.md)\)", tab.partition("\n:::")[0])
        (shown,) = re.findall(r"```\w+\n(.*?)```", tab.partition("\n:::")[0], re.DOTALL)
        page = (START.parent / "install" / name).read_text()
        for line in shown.splitlines():
            assert line.strip(" $#\\") in page, (name, line)
