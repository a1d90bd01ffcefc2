# SPDX-License-Identifier: Apache-2.0
"""What the pages link to is there, headings too: also of those that Sphinx does not read."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.fixtures.pages import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
)
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCED = re.compile(r"^(`{3,}|:{3,}).*?^\1", re.MULTILINE | re.DOTALL)
GENERATED = ROOT / "docs" / "reference"
"""Its headings come when the pages are built, and Sphinx looks for them."""


@cache
def anchors(page: Path) -> set[str]:
    text = FENCED.sub("", page.read_text())
    titles = re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    missing = []
    for link in LINK.findall(page.read_text()):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        generated = GENERATED in target.parents
        if not target.exists() or (anchor and not generated and anchor not in anchors(target)):
            missing.append(link)
    assert not missing
