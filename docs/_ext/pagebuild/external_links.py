# SPDX-License-Identifier: Apache-2.0
"""A list of what the pages link to elsewhere, to be looked at by a person: nothing is fetched."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

LIST = "external-links.txt"


def write_list(app: Sphinx, failure: Exception | None) -> None:
    """Write the addresses, each with the pages that link to it."""
    if failure or app.builder.name != "html":
        return
    pages: dict[str, set[str]] = {}
    for name in app.env.all_docs:
        for link in app.env.get_doctree(name).findall(nodes.reference):
            address = link.get("refuri", "")
            if address.startswith(("http://", "https://")):
                pages.setdefault(address, set()).add(name)
    lines = [f"{address}\t{', '.join(sorted(names))}\n" for address, names in sorted(pages.items())]
    (Path(app.outdir) / LIST).write_text("".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
