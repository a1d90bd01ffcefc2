# SPDX-License-Identifier: Apache-2.0
"""The base of all commands: access to the cloud, and exit codes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from cinder import exception
from cliff.columns import FormattableColumn
from cliff.command import Command
from cliff.display import DisplayCommandBase
from cliff.lister import Lister
from cliff.show import ShowOne
from oslo_config import cfg
from oslo_privsep.daemon import FailedToDropPrivileges

from backup_dispatch import database
from backup_dispatch.command.outcome import (
    CANCELLED,
    DONE,
    NO,
    NOT_KNOWN,
    UNUSABLE,
    CommandEnded,
    misused,
    refuse,
)
from backup_dispatch.counting.whole_file import write_text
from backup_dispatch.errors import (
    BackendDown,
    BackendFailed,
    ConfigurationInvalid,
    DispatchError,
    OwnerUnresolved,
    SampleRefused,
    VerdictUnknown,
    one_line,
    reason_of,
)
from backup_dispatch.examination import deployment
from backup_dispatch.examination.finding import State
from backup_dispatch.jobs.locking import JobRunning
from backup_dispatch.masking import LINES, masked, printable

CONF = cfg.CONF

if TYPE_CHECKING:
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.cloud import Cloud


_NO_HELPER = (
    "Nothing can be attached here: this user may not start os-brick's privileged helper. Run the "
    "command as the user of cinder-backup (sudo -u cinder …), whose sudo rules let it run "
    "cinder-rootwrap."
)


_PLAIN = ("csv", "value")

_OUTPUT = (
    "Output: -f table, json, yaml, csv or value; -c COLUMN, as often as you like; tables: "
    "--max-width N, --fit-width, --print-empty; json: --noindent."
)
_OUTPUT_OF_LISTS = (
    " Lists: --sort-column COLUMN, --sort-ascending, --sort-descending; csv: --quote all, minimal, "
    "none or nonnumeric."
)


class CloudCommand(Command):
    """A command that looks at a cloud; to be named before cliff's own base classes.

    :ivar exit_code: the exit code if nothing is raised.
    """

    exit_code = DONE

    _refused = False
    """Whether another run of its job had the lock."""

    known_columns: ClassVar[tuple[str, ...]] = ()
    """Those of a command that changes something: another is refused before that."""

    def get_epilog(self) -> str:
        """None: to see whether a plugin brings a command, cliff reads all packages' lists of files.

        That took a third of the time of a short command.
        """
        return ""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The command's own arguments; those of the output are told below them, in short."""
        parser = super().get_parser(prog_name)
        if isinstance(self, DisplayCommandBase):
            # They would take more of a terminal than it has, in front of all others.
            for group in parser._action_groups:
                group.description = None
            for action in parser._actions:
                if action.dest != "help":
                    action.help = argparse.SUPPRESS
            # A group whose members are not shown lets some releases of Python fail in the usage.
            parser._mutually_exclusive_groups.clear()
            lists = isinstance(self, Lister) and not isinstance(self, ShowOne)
            parser.epilog = _OUTPUT + (_OUTPUT_OF_LISTS if lists else "")
        return parser

    @property
    def cloud(self) -> Cloud:
        """The cloud.

        :raises CommandEnded: the configuration cannot be read.
        """
        return cast("CommandApp", self.app).cloud

    def say(self, text: str) -> None:
        """Print a message for the operator that is not the command's output."""
        self.app.stderr.write(f"{printable(masked(text), keep=LINES)}\n")

    def say_if_nothing_is_configured(self) -> None:
        """Report it if cinder.conf has another driver and no options of the dispatcher.

        The command's output is then about a primary that nobody has configured.
        """
        if self.cloud.is_configured:
            return
        runs = deployment.what_cinder_runs(CONF)
        if runs.state is not State.UP:
            self.say(runs.text)

    def job_of(self, _parsed_args: argparse.Namespace) -> str:
        """The name of the job of which this is a run that is remembered; empty if it is none."""
        return ""

    def require_writable(self, path: Path) -> None:
        """Check, before there is anything to write, that a file can be replaced.

        :raises CommandEnded: it cannot.
        """
        folder = path.absolute().parent
        if not folder.is_dir():
            misused(f"{path} cannot be written: there is no folder {folder}.")
        if path.is_dir():
            misused(f"{path} is a folder: name a file in it.")
        if not os.access(folder, os.W_OK | os.X_OK):
            misused(f"{path} cannot be written: this user may not write in {folder}.")

    def replace_file(self, path: Path, text: str) -> None:
        """Replace a file as a whole.

        :raises CommandEnded: it could not be written; the old one is as it was.
        """
        try:
            write_text(path, text)
        except OSError as error:
            refuse(f"{path} cannot be written: {reason_of(error)}")

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; an error is one line on stderr, and an exit code."""
        job = self.job_of(parsed_args)
        if not job:
            return self._run(parsed_args)
        code = CANCELLED
        try:
            runs = self.cloud.runs
        except CommandEnded as ended:
            self.app.LOG.error("%s", one_line(str(ended)))
            return ended.code
        begun = runs.begin(job)
        try:
            code = self._run(parsed_args)
        finally:
            runs.end(begun, code, refused=self._refused)
        return code

    def _run(self, parsed_args: argparse.Namespace) -> int:
        try:
            if self.known_columns:
                _require_known_columns(parsed_args, self.known_columns)
            self.say_if_nothing_is_configured()
            return super().run(parsed_args) or self.exit_code
        except BrokenPipeError:
            raise
        except Exception as error:
            self._refused = isinstance(error, JobRunning)
            text, code = _told(error)
            self.app.LOG.error("%s", one_line(text), exc_info=self.app.options.debug)
            return code

    def _run_after_hooks(self, parsed_args: argparse.Namespace, outcome: Any) -> Any:
        # cliff's hook between a command's action and its output.
        outcome = super()._run_after_hooks(parsed_args, outcome)
        if not isinstance(self, DisplayCommandBase):
            return outcome
        names, data = outcome
        _require_known_columns(parsed_args, names)
        plain = parsed_args.formatter in _PLAIN
        # Names are the users'. What reads a file or a pipe gets each as it is.
        seen = parsed_args.formatter == "table" or (plain and self.app.stdout.isatty())
        for applies, change in ((plain, _plain), (seen, _printable)):
            if applies:
                data = [change(row) for row in data] if self._is_list() else change(data)
        return names, data

    def _is_list(self) -> bool:
        """Whether the output has rows."""
        return isinstance(self, Lister)


def _require_known_columns(parsed_args: argparse.Namespace, known: Sequence[str]) -> None:
    """Replace the requested columns' names by the command's spelling.

    cliff ignores an unknown column if another is known; older releases of it accept
    only one spelling.

    :raises CommandEnded: there is no column of that name.
    """
    names = {_normal(one): one for one in known}
    for option in ("columns", "sort_columns"):
        wanted = list(getattr(parsed_args, option, ()))
        for one in wanted:
            if _normal(one) not in names:
                misused(f"There is no column {one}; there are {', '.join(known)}.")
        if wanted:
            setattr(parsed_args, option, [names[_normal(one)] for one in wanted])


def _normal(column: str) -> str:
    return column.lower().strip().replace(" ", "_")


def _plain(values: Iterable[Any]) -> list[Any]:
    """The values of a row, with missing ones empty instead of Python's ``None``."""
    return [
        ""
        if (one.machine_readable() if isinstance(one, FormattableColumn) else one) is None
        else one
        for one in values
    ]


def _printable(values: Iterable[Any]) -> list[Any]:
    """The values of a row, without what steers a terminal."""
    return [printable(one) if isinstance(one, str) else one for one in values]


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, CommandEnded):
        return str(error), error.code
    if isinstance(error, DispatchError):
        return error.full_text, _code_of(error)
    if database.is_databases(error):
        return database.unusable(error), NO
    if isinstance(error, FailedToDropPrivileges):
        return f"{_NO_HELPER} ({one_line(str(error))})", NO
    if isinstance(error, exception.CinderException):
        return reason_of(error), NO
    return f"{reason_of(error)} (--debug shows where)", NO


def _code_of(error: DispatchError) -> int:
    if isinstance(error, (ConfigurationInvalid, SampleRefused)):
        return UNUSABLE
    if isinstance(error, (BackendDown, BackendFailed, OwnerUnresolved, VerdictUnknown)):
        return NOT_KNOWN
    return NO
