# SPDX-License-Identifier: Apache-2.0
"""How a command ends: its exit code, and one line that says why.

A question is answered with yes, no or not known, and each has a code of its own in every command.
Where one part of an answer is no and another is not known, the answer is no, and both are told.
"""

from __future__ import annotations

from typing import NoReturn

DONE = 0
"""Yes: all is as it should be, or what was asked is told and done."""

NO = 1
"""No: a backend is down, a backup is damaged, a request was refused or failed."""

UNUSABLE = 2
"""The command line or the configuration cannot be used; nothing was done."""

NOT_KNOWN = 3
"""Neither yes nor no: something could not be found out, and is named with the reason."""

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
    """End the command: it cannot be meant like this.

    :raises CommandEnded: always.
    """
    raise CommandEnded(text, UNUSABLE)
