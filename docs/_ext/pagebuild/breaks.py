# SPDX-License-Identifier: Apache-2.0
"""Where a long name in code or a heading may be broken on a narrow screen.

Never behind an option's hyphens.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_WORD = re.compile(r'(<span class="pre">)([^<]+)(<)')
_HEADING = re.compile(r"(<h[1-4]>)([^<]+)(<)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
_BEHIND = re.compile(r"(?<=[\w\]])([_/.,=@]+)(?=[\w\[])")
_OPTION = re.compile(r"^--?\w+")


def broken(word: str) -> str:
    """The word, in HTML, with the places where it may be broken."""
    return _OPTION.sub(r'<span class="whole">\g<0></span>', _BEHIND.sub(r"\1<wbr>", word))


def allow_breaks(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put them into a page."""
    if "body" in context:
        code = _WORD.sub(lambda found: found[1] + broken(found[2]) + found[3], context["body"])
        context["body"] = _HEADING.sub(
            lambda found: found[1] + _HUMP.sub("<wbr>", broken(found[2])) + found[3], code
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("html-page-context", allow_breaks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
