# SPDX-License-Identifier: Apache-2.0
"""What became of the volumes' bytes at a backend: stored, or saved, and by what."""

from __future__ import annotations

import svg
from markupsafe import Markup

from backup_dispatch.jobs.report import words
from backup_dispatch.jobs.report.drawing import picture, title
from backup_dispatch.jobs.report.savings import Savings

_WIDTH = 340.0
_HEIGHT = 14.0


def drawn(savings: Savings, about: str) -> Markup:
    """One bar."""
    parts = (
        ("stored", savings.stored),
        ("compression", savings.compression),
        ("sharing", savings.sharing),
        ("zeros", savings.zeros),
    )
    whole = max(sum(size for _, size in parts), 1)
    shapes: list[svg.Element] = []
    x = 0.0
    for name, size in parts:
        width = round(_WIDTH * size / whole, 2)
        if width > 0:
            shapes.append(
                svg.Rect(
                    x=round(x, 2), y=0, width=width, height=_HEIGHT, class_=[name],
                    elements=[title(f"{name}: {words.size(size)}")],
                )
            )  # fmt: skip
        x += width
    return picture(_WIDTH, _HEIGHT, shapes, about)
