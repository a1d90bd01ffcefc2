# SPDX-License-Identifier: Apache-2.0
"""What all pictures share: their colours are the page's, and their texts are escaped.

The library writes texts as they are given to it, so every text goes through :func:`title`.
"""

from __future__ import annotations

import svg
from markupsafe import Markup, escape


def title(text: str) -> svg.Title:
    """What is shown for a shape under the pointer, and read aloud."""
    return svg.Title(text=str(escape(text)))


def label(text: str, x: float, y: float, name: str = "label") -> svg.Text:
    """A short text in a picture."""
    return svg.Text(x=x, y=y, class_=[name], text=str(escape(text)))


def picture(width: float, height: float, elements: list[svg.Element], about: str) -> Markup:
    """The picture for the page; it scales with its place.

    :param about: what it shows, for those who do not see it.
    """
    drawn = svg.SVG(
        xmlns=None,  # inside HTML it needs none
        viewBox=svg.ViewBoxSpec(0, 0, round(width, 1), round(height, 1)),
        elements=[title(about), *elements],
        extra={"role": "img", "preserveAspectRatio": "xMinYMin meet"},
    )
    return Markup(str(drawn))  # noqa: S704 - each text in it is escaped above
