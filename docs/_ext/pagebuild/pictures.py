# SPDX-License-Identifier: Apache-2.0
"""Pictures stand inside of the page, so that they follow its colours, and those of its button."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

FOLDER = "pictures/"


class PutInside(SphinxTransform):
    """Replaces an image by the drawing itself."""

    # Before Sphinx copies images, and after includes have been made relative to their page.
    default_priority = 200

    def apply(self, **_kwargs: Any) -> None:
        """Look at all images of a page."""
        for image in list(self.document.findall(nodes.image)):
            address = image["uri"]
            if FOLDER not in address or not address.endswith(".svg"):
                continue
            _, path = self.env.relfn2path(address, self.env.docname)
            self.env.note_dependency(path)
            drawing = Path(path).read_text(encoding="utf-8")
            alt = escape(image.get("alt", ""), quote=True)
            inside = drawing.replace("<svg ", f'<svg aria-label="{alt}" ', 1)
            html = f'<div class="picture">{inside}</div>'
            image.replace_self(nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_transform(PutInside)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
