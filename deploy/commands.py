# SPDX-License-Identifier: Apache-2.0
"""What can be typed: the programs' parsers as values, for manual pages and completions."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field

from cliff.help import HelpCommand

_FILES = ("PATH", "FILE", "DEVICE", "OUTPUT")
_FOLDERS = ("DIRECTORY", "DIR", "FOLDER")


@dataclass(frozen=True)
class Option:
    """One option.

    :ivar flags: all its spellings, the short ones first.
    :ivar text: its help; empty if the parser hides it.
    :ivar value: the name of its value; empty if it takes none.
    :ivar choices: the values that it accepts; empty if they are not limited.
    :ivar repeated: whether it may be given more than once.
    """

    flags: tuple[str, ...]
    text: str = ""
    value: str = ""
    choices: tuple[str, ...] = ()
    repeated: bool = False


@dataclass(frozen=True)
class Argument:
    """One positional argument.

    :ivar name: as the usage shows it.
    """

    name: str
    text: str = ""
    choices: tuple[str, ...] = ()
    required: bool = True


@dataclass(frozen=True)
class Command:
    """A command of a program, or the program itself.

    :ivar words: what is typed; first the program's name.
    :ivar text: what it does, in sentences.
    :ivar usage: the lines that the parser states itself; empty if they follow from the rest.
    :ivar closing: what the help says below the options.
    :ivar commands: its own commands.
    """

    words: tuple[str, ...]
    text: str
    usage: tuple[str, ...] = ()
    closing: str = ""
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    commands: tuple[Command, ...] = field(default=())

    @property
    def summary(self) -> str:
        """The first sentence, without its full stop."""
        return self.text.split("\n\n", 1)[0].split(". ", 1)[0].rstrip(".")

    def all(self) -> Iterator[Command]:
        """This one and, depth first, all below it."""
        yield self
        for command in self.commands:
            yield from command.all()


def takes_file(name: str) -> bool:
    """Whether what is called so in a usage is the path of a file."""
    return name.upper() in _FILES or name.upper().endswith("-FILE")


def takes_folder(name: str) -> bool:
    """Whether what is called so in a usage is the path of a folder."""
    return name.upper() in _FOLDERS or name.upper().endswith("-DIR")


def programs() -> tuple[Command, ...]:
    """All programs that are installed. Cinder's objects must be registered before."""
    from datera_backup.command.main import _parsers
    from datera_emulator.cli import _parser

    return (_dispatcher(), _read(_parsers()[0], ()), _read(_parser(), ()))


def _dispatcher() -> Command:
    # What these import needs Cinder's objects to be registered.
    from backup_dispatch.command.app import NAME, CommandApp
    from backup_dispatch.command.table import COMMANDS

    app = CommandApp(COMMANDS)
    commands = []
    for name, command in sorted(COMMANDS.items()):
        made = command(app, argparse.Namespace())
        commands.append(_read(made.get_parser(f"{NAME} {name}"), (NAME, name)))
    shown = HelpCommand(app, argparse.Namespace()).get_parser(f"{NAME} help")
    summary = "Print what a command does, and its options."
    commands.append(
        Command((NAME, "help"), summary, options=_options(shown), arguments=_help_takes(commands))
    )
    own = _read(app.parser, (NAME,))
    return Command(
        own.words, own.text, own.usage, own.closing, own.options, commands=tuple(commands)
    )


def _help_takes(commands: list[Command]) -> tuple[Argument, ...]:
    names = tuple(command.words[-1] for command in commands)
    return (Argument("COMMAND", "the command", names, required=False),)


def _read(parser: argparse.ArgumentParser, words: tuple[str, ...], summary: str = "") -> Command:
    words = words or tuple(parser.prog.split())
    arguments, commands = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {one.dest: one.help or "" for one in action._choices_actions}
            commands += [
                _read(one, (*words, name), told.get(name, ""))
                for name, one in action.choices.items()
            ]
        elif not action.option_strings:
            arguments.append(_argument(action))
    lines = (parser.usage or "").replace("%(prog)s", " ".join(words)).splitlines()
    return Command(
        words,
        (parser.description or "").strip() or _sentence(summary),
        tuple(line.strip() for line in lines),
        (parser.epilog or "").strip(),
        _options(parser),
        tuple(arguments),
        tuple(commands),
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _options(parser: argparse.ArgumentParser) -> tuple[Option, ...]:
    return tuple(_option(parser, action) for action in parser._actions if action.option_strings)


def _option(parser: argparse.ArgumentParser, action: argparse.Action) -> Option:
    flags = tuple(sorted(action.option_strings, key=len))
    value = "" if action.nargs == 0 else _name(action)
    repeated = isinstance(action, argparse._AppendAction | argparse._CountAction)
    return Option(flags, _text(parser, action), value, _choices(action), repeated)


def _argument(action: argparse.Action) -> Argument:
    text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help)
    return Argument(_name(action), text, _choices(action), action.nargs not in ("?", "*"))


def _name(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return action.dest.upper().replace("_", "-")


def _choices(action: argparse.Action) -> tuple[str, ...]:
    return tuple(str(one) for one in action.choices or ())


def _text(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if action.help in (None, argparse.SUPPRESS):
        return ""
    text = parser._get_formatter()._expand_help(action)
    # Python's own sentence, which is written otherwise in its later releases.
    return "show this help and exit" if "--help" in action.option_strings else text
