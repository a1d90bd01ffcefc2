# SPDX-License-Identifier: Apache-2.0
"""What the commands share: how they get at the cloud, and how they end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, cast

from cinder import exception
from cliff.command import Command
from oslo_db import exception as db_exception
from oslo_privsep.daemon import FailedToDropPrivileges

from backup_dispatch.command.masking import masked
from backup_dispatch.command.outcome import DONE, NO, NOT_KNOWN, UNUSABLE, CommandEnded
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

if TYPE_CHECKING:
    from backup_dispatch.command.app import CommandApp
    from backup_dispatch.command.cloud import Cloud


_NO_HELPER = (
    "Nothing can be attached here: this user may not start os-brick's privileged helper. Run the "
    "command as the user of cinder-backup (sudo -u cinder …), whose sudo rules let it run "
    "cinder-rootwrap."
)


class CloudCommand(Command):
    """A command that looks at a cloud; to be named before cliff's own base classes.

    :ivar exit_code: what the command ends with if nothing is raised.
    """

    exit_code = DONE

    @property
    def cloud(self) -> Cloud:
        """The cloud.

        :raises CommandEnded: the configuration cannot be read.
        """
        return cast("CommandApp", self.app).cloud

    def say(self, text: str) -> None:
        """Tell the operator something that is not the command's output."""
        self.app.stderr.write(f"{masked(text)}\n")

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; an error is one line on stderr, and an exit code."""
        try:
            return super().run(parsed_args) or self.exit_code
        except BrokenPipeError:
            raise
        except Exception as error:
            if self.app.options.debug:
                raise
            text, code = _told(error)
            self.app.LOG.error("%s", one_line(text))
            return code


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, CommandEnded):
        return str(error), error.code
    if isinstance(error, DispatchError):
        return error.full_text, _code_of(error)
    if isinstance(error, db_exception.DBError):
        return f"Cinder's database cannot be used: {reason_of(error)}", NO
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
