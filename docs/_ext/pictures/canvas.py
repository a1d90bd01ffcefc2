# SPDX-License-Identifier: Apache-2.0
"""Boxes, arrows and words as SVG, in colours that a page in the dark may change.

Where the file is shown as it is, it follows the reader's preference; inside of a page of ours, the
page's own colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import cycle

WIDTH = 480
"""Of each picture, in pixels: on a phone it is shown at three quarters of that."""

LINE = 18
"""Pixels from one line of words to the next."""

_COLOURS = {
    # name: (the page's own colour, by day, by night)
    "ink": ("color-foreground-primary", "#16202a", "#e6edf3"),
    "quiet": ("color-foreground-secondary", "#55606b", "#a3adb7"),
    "paper": ("color-background-secondary", "#f3f5f7", "#1b2026"),
    "edge": ("color-foreground-border", "#87919b", "#76808a"),
    "one": ("picture-one", "#0b5a8f", "#7cc4f4"),
    "two": ("picture-two", "#8a4b00", "#f0b36b"),
    "no": ("picture-no", "#a3212b", "#ff9a9a"),
}
PAGE_COLOURS = {
    mode: {own: values[mode] for own, *values in _COLOURS.values() if own.startswith("picture")}
    for mode in (0, 1)
}
"""What a page must define besides its theme: by day (0) and by night (1)."""

Point = tuple[float, float]


def _style() -> str:
    def colours(mode: int) -> str:
        return "".join(
            f"--{name}:var(--{own},{values[mode]});" for name, (own, *values) in _COLOURS.items()
        )

    return (
        f".drawing{{{colours(0)}font:14px system-ui,'Segoe UI',Helvetica,Arial,sans-serif}}"
        f"@media(prefers-color-scheme:dark){{.drawing{{{colours(1)}}}}}"
        ".drawing text{fill:var(--ink)}.drawing .mono{font:12.5px ui-monospace,Menlo,Consolas,"
        "'DejaVu Sans Mono',monospace}.drawing .bold{font-weight:600}"
        ".drawing .quiet{fill:var(--quiet);font-size:12.5px}.drawing .box{fill:var(--paper);"
        "stroke:var(--edge);stroke-width:1.2}.drawing .box.clear{fill:none;stroke-dasharray:5 4}"
        ".drawing .path{fill:none;stroke:var(--edge);stroke-width:1.6}"
        ".drawing .dashed{stroke-dasharray:5 4}.drawing .head{fill:var(--edge);stroke:none}"
        + "".join(
            f".drawing .box.{c},.drawing .path.{c}{{stroke:var(--{c});stroke-width:1.8}}"
            f".drawing .head.{c}{{fill:var(--{c})}}.drawing text.{c}{{fill:var(--{c})}}"
            for c in ("one", "two", "no")
        )
    )


class Canvas:
    """One picture.

    :cvar SIGN: pixels from one sign to the next in code.

    :param height: in pixels.
    :param title: what a reader who sees no pictures is told.
    """

    SIGN = 7.53

    def __init__(self, height: int, title: str) -> None:
        self._height = height
        self._title = title
        self._parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, *lines: str, kind: str = "") -> None:
        """A box with lines in its middle; what is between backquotes is code.

        A line between stars is bold, between tildes quiet.

        :param kind: ``one``, ``two`` or ``no`` by what is coloured alike; ``clear`` for dashes.
        """
        self._parts.append(
            f'<rect class="box {kind}" x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6"/>'
        )
        top = y + h / 2 - (len(lines) - 1) * LINE / 2 + 5
        for number, line in enumerate(lines):
            self.words(x + w / 2, top + number * LINE, line, anchor="middle")

    def words(
        self, x: float, y: float, text: str, *, anchor: str = "start", kind: str = ""
    ) -> None:
        """One line of words, in the same notation as in a box."""
        classes = [kind] if kind else []
        for mark, name in (("*", "bold"), ("~", "quiet")):
            if text[0] == text[-1] == mark:
                text, classes = text[1:-1], [*classes, name]
        named = f' class="{" ".join(classes)}"' if classes else ""
        inner = "".join(
            f'<tspan class="mono">{escape(part)}</tspan>' if code else escape(part)
            for code, part in zip(cycle((False, True)), text.split("`"), strict=False)
            if part
        )
        self._parts.append(
            f'<text{named} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{inner}</text>'
        )

    def arrow(self, *points: Point, kind: str = "", dashed: bool = False) -> None:
        """A line through the points, with a head at the last."""
        (x0, y0), (x1, y1) = points[-2:]
        turn = math.degrees(math.atan2(y1 - y0, x1 - x0))
        shaft = [
            *points[:-1],
            (x1 - 7 * math.cos(math.radians(turn)), y1 - 7 * math.sin(math.radians(turn))),
        ]
        classes = f"path {kind}{' dashed' if dashed else ''}"
        self._parts.append(
            f'<path class="{classes}" d="M{_joined(shaft)}"/>'
            f'<path class="head {kind}" d="M0 0L-10 4.5L-10 -4.5Z" '
            f'transform="translate({x1:g} {y1:g}) rotate({turn:.1f})"/>'
        )

    def line(self, *points: Point, kind: str = "", dashed: bool = False) -> None:
        """A line through the points."""
        classes = f"path {kind}{' dashed' if dashed else ''}"
        self._parts.append(f'<path class="{classes}" d="M{_joined(points)}"/>')

    def svg(self) -> str:
        """The picture as a file."""
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
            f'viewBox="0 0 {WIDTH} {self._height}" width="{WIDTH}" height="{self._height}">\n'
            f"<title>{escape(self._title)}</title>\n<style>{_style()}</style>\n{body}\n</svg>\n"
        )


def _joined(points: Sequence[Point]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
