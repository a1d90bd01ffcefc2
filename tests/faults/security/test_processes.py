# SPDX-License-Identifier: Apache-2.0
"""No secret in a list of processes: nothing that ships starts one, or is given one as an option."""

from __future__ import annotations

import argparse
import ast
import io
import re
from pathlib import Path

from cinder import objects

# The rest of Cinder can be imported only after its objects have been registered.
objects.register_all()
from backup_dispatch.command.app import CommandApp  # noqa: E402
from backup_dispatch.command.table import COMMANDS  # noqa: E402
from tests.fixtures.pages import ROOT  # noqa: E402
from tests.fixtures.waits import SHIPPED  # noqa: E402

STARTING = re.compile(
    r"^(subprocess|pty|os\.(system|popen|exec\w*|spawn\w*|fork\w*|posix_spawn\w*))"
)
SECRET = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


def started_in(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{one.name}" for one in node.names]
        elif isinstance(node, ast.Attribute):
            found.append(ast.unparse(node))
    return [one for one in found if STARTING.match(one)]


def test_nothing_that_ships_starts_a_process() -> None:
    sources = [path for package in SHIPPED for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 200
    assert {str(path): found for path in sources if (found := started_in(path))} == {}


def test_no_command_takes_a_secret_as_an_option() -> None:
    app = CommandApp(COMMANDS, io.StringIO(), io.StringIO(), io.StringIO())
    for name, command in COMMANDS.items():
        parser = command(app, argparse.Namespace()).get_parser(name)
        for action in parser._actions:
            words = [action.dest, *action.option_strings]
            assert not any(SECRET.search(word) for word in words), (name, words)
