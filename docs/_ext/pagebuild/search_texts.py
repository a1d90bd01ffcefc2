# SPDX-License-Identifier: Apache-2.0
"""Excerpts among the results of a search where the pages are opened as files.

Sphinx's search fetches each page that it found, which browsers refuse for files. So the pages'
texts are put into a script, which ``search-offline.js`` loads there and nowhere else.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from sphinx.application import Sphinx

SCRIPT = "_static/page-texts.js"
_ARTICLE = re.compile(r"<article role=\"main\".*?</article>", re.DOTALL)
_PICTURE = re.compile(r"<svg.*?</svg>", re.DOTALL)


def write_texts(app: Sphinx, failure: Exception | None) -> None:
    """Write the script, from the pages as they were built."""
    if failure or app.builder.name != "html":
        return
    texts = {}
    for name in sorted(app.env.all_docs):
        page = app.builder.get_target_uri(name)
        html = (Path(app.outdir) / page).read_text(encoding="utf-8")
        if found := _ARTICLE.search(html):
            texts[page] = _PICTURE.sub("", found[0])
    script = f"window.pageTexts = {json.dumps(texts, ensure_ascii=False)};\n"
    (Path(app.outdir) / SCRIPT).write_text(script, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", write_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
