# SPDX-License-Identifier: Apache-2.0
"""How a command ends: its exit code, and one line with the reason.

The answer is yes, no or not known, each with its own exit code, the same in every command.
If one part of an answer is no and another is not known, the answer is no, and both are reported.
"""

from __future__ import annotations

from typing import NoReturn

DONE = 0
"""Yes: everything is as it should be, or what was requested is reported and done."""

NO = 1
"""No: a backend is down, a backup is damaged, a request was refused or failed."""

UNUSABLE = 2
"""The command line or the configuration cannot be used; nothing was done."""

NOT_KNOWN = 3
"""Neither yes nor no: something could not be determined, and is named with the reason."""

CANCELLED = 130
"""Ctrl-C or SIGTERM; nothing is left attached."""

_BY_WEIGHT = (NO, NOT_KNOWN, DONE)


def worse(one: int, other: int) -> int:
    """The code of an answer that has both parts; neither is UNUSABLE."""
    return next(code for code in _BY_WEIGHT if code in (one, other))


class CommandEnded(Exception):
    """A command ends with this text on stderr and this exit code."""

    def __init__(self, text: str, code: int = NO) -> None:
        super().__init__(text)
        self.code = code


def refuse(text: str) -> NoReturn:
    """End the command: the answer is no.

    :raises CommandEnded: always.
    """
    raise CommandEnded(text)


def misused(text: str) -> NoReturn:
    """End the command: its arguments are invalid.

    :raises CommandEnded: always.
    """
    raise CommandEnded(text, UNUSABLE)
