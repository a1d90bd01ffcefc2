# SPDX-License-Identifier: Apache-2.0
"""How a command ends: its exit code, and one line that says why."""

from __future__ import annotations

from typing import NoReturn

DONE = 0
"""All is as it should be."""

NO = 1
"""The answer is no: a backend is down, a backup is damaged, a request was refused or failed."""

UNUSABLE = 2
"""The command line or the configuration cannot be used; nothing was done."""

NOT_KNOWN = 3
"""The answer is neither yes nor no: something could not be found out, and is named."""

CANCELLED = 130
"""Ctrl-C or SIGTERM; nothing is left attached."""


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
