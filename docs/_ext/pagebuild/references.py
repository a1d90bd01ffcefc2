# SPDX-License-Identifier: Apache-2.0
"""Puts the generated texts into the pages of the reference."""

from __future__ import annotations

import re
from collections.abc import Callable

from reference import cinder_errors, commands, errors, options, properties
from sphinx.application import Sphinx

TEXTS: dict[str, Callable[[], str]] = {
    "options": options.text,
    "commands": commands.text,
    "errors": errors.text,
    "Cinder errors": cinder_errors.text,
    "properties": properties.properties_text,
    "extra specs": properties.extra_specs_text,
    "notifications": properties.notifications_text,
}
PLACE = re.compile(r"^<!-- generated: ([\w ]+) -->$", re.MULTILINE)


def fill(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Replace each place by what belongs there."""
    source[0] = PLACE.sub(lambda found: TEXTS[found[1]](), source[0])


def always(app: Sphinx, *_: object) -> list[str]:
    """The pages to read again, though they are unchanged: what they are made of may not be."""
    return [name for name in app.env.found_docs if name.startswith("reference/")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    app.connect("env-get-outdated", always)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
