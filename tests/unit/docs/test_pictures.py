# SPDX-License-Identifier: Apache-2.0
"""The pictures are those that the script draws, and each stands on a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from pictures.album import FOLDER, drawings
from pictures.canvas import WIDTH

from tests.fixtures.pages import ROOT

WIDEST = 0.53
"""Of a font's size that a sign takes on average, in the widest font that is likely."""


def test_the_pictures_are_as_the_script_draws_them() -> None:
    # Else: cd docs/_ext && python -m pictures
    there = {path.name: path.read_text() for path in FOLDER.glob("*.svg")}
    assert {name: there.get(name) for name in drawings()} == drawings()


@pytest.mark.parametrize("name", sorted(drawings()))
def test_picture_tells_what_it_shows_and_its_words_stay_inside(name: str) -> None:
    picture = ElementTree.fromstring(drawings()[name])
    names = {"": "http://www.w3.org/2000/svg"}
    assert len(picture.findtext("title", namespaces=names) or "") > 80
    for words in picture.iterfind("text", names):
        size = 12.5 if "quiet" in words.get("class", "") else 14
        text, x = "".join(words.itertext()), float(words.get("x", "0"))
        reach = {"start": 1, "middle": 0.5, "end": 0}[words.get("text-anchor", "start")]
        assert x + reach * len(text) * size * WIDEST <= WIDTH, text


@pytest.mark.parametrize("name", sorted(drawings()))
def test_picture_stands_on_a_page_with_words_in_its_place(name: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = [
        re.search(rf"!\[([^\]]*)\]\((?:docs/)?pictures/{re.escape(name)}\)", page.read_text())
        for page in pages
    ]
    assert any(one and len(one[1]) > 20 for one in shown)
