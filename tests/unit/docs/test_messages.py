# SPDX-License-Identifier: Apache-2.0
"""The messages that docs/troubleshooting.md explains are those of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import cinder

from tests.fixtures.pages import ROOT

CELLS = re.compile(r"^\| (`.+?) \| ", re.MULTILINE)
SHORTEST = 12
"""Characters of a part between two names that are looked for."""


def texts_of(source: Path) -> Iterator[str]:
    """The literals of a module; what is put into one is an ellipsis."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%\(\w+\)s", "…", node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values
            )


def test_each_message_of_the_table_is_one_of_the_sources() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    table = page.partition("## By the message\n")[2].partition("\n## ")[0]
    messages = [one for cell in CELLS.findall(table) for one in re.findall(r"`([^`]+)`", cell)]
    assert len(messages) > 15
    installed = Path(cinder.__path__[0])
    cinders = [installed / "backup" / "manager.py", installed / "scheduler" / "manager.py"]
    ours = (ROOT / "backup_dispatch").rglob("*.py")
    said = "\n".join(text for source in (*ours, *cinders) for text in texts_of(source))
    for message in messages:
        parts = [one.strip(" .:;,") for one in message.split("…")]
        assert any(len(one) >= SHORTEST for one in parts), message
        for part in parts:
            assert len(part) < SHORTEST or part in said, message
