# SPDX-License-Identifier: Apache-2.0
"""The command line: its global options, its commands, and where messages go."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from typing import Any, TextIO

from cliff.app import App
from cliff.command import Command
from cliff.commandmanager import CommandManager
from cliff.help import HelpCommand

from backup_dispatch.command.cloud import Cloud
from backup_dispatch.command.configuration import read_configuration
from backup_dispatch.command.outcome import CANCELLED, UNUSABLE
from backup_dispatch.errors import listed
from backup_dispatch.masking import LINES, masked, printable

NAME = "backup-dispatch"

OWN = ("backup_dispatch", "cinder", "datera")
VERBOSE = 2


class CommandApp(App):
    """``backup-dispatch``.

    :param table: the commands by name, each a :class:`~backup_dispatch.command.base.CloudCommand`.
    """

    NAME = NAME
    LOG = logging.getLogger(NAME)

    def __init__(
        self,
        table: Mapping[str, type[Command]],
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        commands = CommandManager(None)
        for name, command in table.items():
            commands.add_command(name, command)
        super().__init__(
            "Manage the backups of a Cinder whose backup driver is the dispatcher.",
            metadata.version("backup-dispatch"),
            commands,
            deferred_help=True,  # so that `COMMAND --help` tells of the command
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
        commands.add_command("help", Help)
        self._handlers: list[logging.Handler] = []

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        """The options before the command."""
        parser = super().build_option_parser(description, version, argparse_kwargs)
        for action in parser._actions:
            # The help of all commands has 24 lines: rarely used options are on the page only.
            if action.dest in ("log_file", "version") or "--quiet" in action.option_strings:
                action.help = argparse.SUPPRESS
            elif action.dest == "verbose_level":
                action.help = "show log messages of Cinder and drivers; -vv: more"
        # With a group of hidden members some releases of Python fail in the usage.
        parser._mutually_exclusive_groups.clear()
        parser.add_argument(
            "--config-file",
            action="append",
            default=[],
            metavar="PATH",
            help="cinder.conf; default: the one that Cinder finds",
        )
        parser.add_argument(
            "--config-dir",
            action="append",
            default=[],
            metavar="PATH",
            help="a directory of further *.conf files",
        )
        return parser

    def run(self, argv: list[str]) -> int:
        """Run one command, and return the exit code of :mod:`.outcome`."""
        root = logging.getLogger()
        level = root.level
        try:
            code = super().run(argv)
        finally:
            root.setLevel(level)
            for handler in self._handlers:
                root.removeHandler(handler)
                handler.close()
        if code == CANCELLED:
            self.stderr.write(f"{NAME}: cancelled\n")
        return code

    def configure_logging(self) -> None:
        """Own errors go to stderr; the drivers' log messages only with ``--verbose``."""
        console: logging.Handler = logging.StreamHandler(self.stderr)
        console.setFormatter(_Unsecret(f"{NAME}: %(message)s"))
        console.addFilter(_Audible(self.options.verbose_level))
        self._handlers.append(console)
        if self.options.log_file:
            try:
                file = logging.FileHandler(self.options.log_file)
            except OSError as error:
                self.parser.error(f"argument --log-file: {error}")
            file.setFormatter(_Unsecret(self.LOG_FILE_MESSAGE_FORMAT))
            self._handlers.append(file)
        root = logging.getLogger()
        for handler in self._handlers:
            root.addHandler(handler)
        root.setLevel(logging.INFO if self.options.verbose_level <= VERBOSE else logging.DEBUG)

    def initialize_app(self, argv: Sequence[str]) -> None:
        """Without a command, show the help: there is no interactive mode."""
        if not argv and not self.options.deferred_help:
            self.run_subcommand(["help"])
            raise SystemExit(UNUSABLE)

    def run_subcommand(self, argv: list[str]) -> int:
        """Run one command; an unknown one is reported on stderr."""
        try:
            self.command_manager.find_command(argv)
        except ValueError:
            self.LOG.error("%s", no_such_command(argv[0], self.command_manager))
            return UNUSABLE
        return int(super().run_subcommand(argv))

    @cached_property
    def cloud(self) -> Cloud:
        """The cloud that the commands work on.

        :raises CommandEnded: the configuration cannot be read.
        """
        read_configuration(self.options.config_file, self.options.config_dir)
        return Cloud()


def no_such_command(word: str, commands: Any) -> str:
    """The error message for an unknown command."""
    names = listed(name for name, _ in commands)
    return f"There is no command {word}; there are {names}."


class Help(HelpCommand):
    """Print what a command does, and its options."""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Tell of one command, or of all."""
        commands = self.app.command_manager
        try:
            if parsed_args.cmd:
                commands.find_command(parsed_args.cmd)
        except ValueError:
            self.app.LOG.error("%s", no_such_command(parsed_args.cmd[0], commands))
            return UNUSABLE
        return int(super().take_action(parsed_args) or 0)


class _Audible(logging.Filter):
    """Passes own messages, and with ``-v`` those of Cinder and its libraries."""

    def __init__(self, verbosity: int) -> None:
        super().__init__()
        self._verbosity = verbosity

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == NAME:
            return True
        if self._verbosity < VERBOSE:
            return False
        # Debug messages of other libraries may contain tokens.
        return record.levelno >= logging.INFO or record.name.split(".")[0].startswith(OWN)


class _Unsecret(logging.Formatter):
    """Masks what looks like a secret, and what steers a terminal, also in a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(masked(super().format(record)), keep=LINES)
