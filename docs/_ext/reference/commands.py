# SPDX-License-Identifier: Apache-2.0
"""Every command with its arguments, from the parsers that read the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from cinder import objects

from datera_backup.command.main import _parsers as datera_backup_parsers
from datera_emulator.cli import _parser as emulator_parser
from reference.markdown import marked

WIDTH = 76


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """All commands by what is typed, those of one program together."""
    objects.register_all()
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.table import COMMANDS

    app = CommandApp(COMMANDS)
    yield app.NAME, app.parser
    for name, command in sorted(COMMANDS.items()):
        full = f"{app.NAME} {name}"
        yield full, command(app, None, cmd_name=name).get_parser(full)
    for program in (datera_backup_parsers()[0], emulator_parser()):
        yield program.prog, program
        for name, parser in _subparsers(program):
            yield f"{program.prog} {name}", parser


def _subparsers(parser: argparse.ArgumentParser) -> Iterable[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def text() -> str:
    """The programs and their commands, as Markdown."""
    parts = []
    for typed, parser in parsers():
        depth = "##" if " " not in typed else "###"
        parts += [f"{depth} {typed}", ""]
        if parser.description:
            parts += [marked(parser.description), ""]
        parts += ["```text", _usage(typed, parser), "```", ""]
        shown = [
            action
            for action in parser._actions
            if action.help != argparse.SUPPRESS
            and not isinstance(action, argparse._SubParsersAction)
            and "-h" not in action.option_strings
        ]
        parts += [f"- {_named(action)}: {_told(action)}".removesuffix(": ") for action in shown]
        if parser.epilog:
            parts += ["", marked(parser.epilog)]
        parts.append("")
    return "\n".join(parts)


def _usage(typed: str, parser: argparse.ArgumentParser) -> str:
    parser.prog = typed
    formatter = argparse.HelpFormatter(typed, width=WIDTH)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, "")
    return formatter.format_help().strip()


def _named(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings)
    value = ""
    if action.nargs != 0:
        value = str(action.metavar or (action.dest if not names else action.dest.upper()))
        if action.choices and not action.metavar:
            value = "{" + ",".join(map(str, action.choices)) + "}"
    return f"`{' '.join(filter(None, (names, value)))}`"


def _told(action: argparse.Action) -> str:
    told = (action.help or "").replace("%%", "%")
    default = action.default
    if "%(" in told:
        told = told % {"default": default, "prog": ""}
    elif (
        action.nargs != 0
        and default not in (None, False, [], argparse.SUPPRESS, "")
        and "default" not in told
    ):
        told += f"; default: {default}"
    repeated = isinstance(action, argparse._AppendAction) and "repeat" not in told
    return marked(told) + (" (may be repeated)" if repeated else "")
