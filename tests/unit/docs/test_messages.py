# SPDX-License-Identifier: Apache-2.0
"""The messages that pages show and explain are those of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cinder

from tests.fixtures.pages import ROOT
from tests.fixtures.pages.outputs import messages_of

CELLS = re.compile(r"^\| (`.+?) \| ", re.MULTILINE)
SHORTEST = 8
"""Characters of a part between two names that are looked for."""

PUT_IN = re.compile(
    r"[0-9a-f]{8}-[-0-9a-f]*…?|\b4a7e…|\b(?:east|north|swift|ceph|ceph_east|bakups|DIRECTORY)\b"
    r"|/dev/\w+|\d{4}-\d\d-\d\d[T ][\d:]+(?:Z| UTC)|\d+(?:\.\d+)? GiB|\d+ (?:minutes|backups?)"
    r"|\b\d+"
    r"|'[a-z ]+'|[\w.]+@\w+|the property backup_backend|\[DEFAULT\](?: \w+)?"
    r"|\b(?:is|are)(?= held)"
    r"|^backup-dispatch: |one place|/volume\.raw|backup_ceph_poo?l"
)
"""What differs from message to message: identifiers, names, times, numbers."""

COMPOSED = ("backup_progress", "Timed out waiting", "The backup 4a7e")
"""Messages that are put together of parts; the tests of what says them have them."""


@cache
def said() -> str:
    """All texts of the sources, and of what of Cinder writes into its records."""
    installed = Path(cinder.__path__[0])
    theirs = ("backup/manager.py", "backup/drivers/ceph.py", "scheduler/manager.py", "exception.py")
    sources = [installed / one for one in theirs]
    for ours in ("backup_dispatch", "datera_backup/command"):
        sources += (ROOT / ours).rglob("*.py")
    return "\n".join(text for source in sources for text in texts_of(source))


def texts_of(source: Path) -> Iterator[str]:
    """The literals of a module; what is put into one is an ellipsis."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(\(\w+\))?s", "…", node.value)
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values
            )


def assert_said(message: str) -> None:
    parts = [one.strip(" .:;,") for one in message.split("…")]
    assert any(len(one) >= SHORTEST for one in parts), message
    assert [one for one in parts if len(one) >= SHORTEST and one not in said()] == [], message


def test_each_message_of_the_table_is_one_of_the_sources() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    table = page.partition("## By the message\n")[2].partition("\n## ")[0]
    messages = [one for cell in CELLS.findall(table) for one in re.findall(r"`([^`]+)`", cell)]
    assert len(messages) > 15
    for message in messages:
        assert_said(message)


def test_each_message_that_a_page_shows_is_one_of_the_sources() -> None:
    # Those below commands are compared with what the commands tell.
    lines = list(messages_of("dispatcher.md", "outages.md"))
    assert len(lines) > 5
    for line in lines:
        if not line.startswith(COMPOSED):
            assert_said(PUT_IN.sub("…", line))
