# SPDX-License-Identifier: Apache-2.0
"""What a run of copies is asked for, and what it tells of each backup."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.interface import Progress

Stage = Callable[[str], AbstractContextManager[Progress]]
"""Shows the progress of a stage, such as ``copying``, while its block runs."""


class Cloud(Protocol):
    """The records and backends that a run works on."""

    @property
    def context(self) -> Any:
        """An administrator's context."""

    @property
    def enabled(self) -> Backends:
        """The enabled backends."""

    def driver(self, backend: Backend, backup: Any) -> Any:
        """A new driver object, for an operation on a backup.

        :raises DispatchError: the backend is down.
        """

    def owner(self, backup: Any) -> Backend:
        """The backend that has a backup.

        :raises OwnerUnresolved: that is not certain.
        """


class Check(Enum):
    """How much of a copy is read back before it counts."""

    NONE = "none"
    SAMPLE = "sample"
    FULL = "full"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    :ivar incremental: on the copy before it, where there is one.
    :ivar project: the owner of the copies; None: that of each backup.
    :ivar move: whether the source is deleted afterwards.
    :ivar scratch: a folder for data of drivers that can only restore.
    """

    target: Backend
    incremental: bool = False
    project: str | None = None
    check: Check = Check.SAMPLE
    move: bool = False
    scratch: Path = Path("/var/tmp")  # noqa: S108 - files without a name


class Outcome(Enum):
    """What became of one backup, with the word shown to operators."""

    COPIED = "copied"
    MOVED = "moved"
    LEFT = "copied, not moved"
    """The copy is there and sound, and the source is left, for the reason given."""
    THERE = "copied before"
    PLANNED = "would be copied"
    MOVE_PLANNED = "would be moved"
    FAILED = "failed"
    DAMAGED = "DAMAGED"
    """The source is; no copy was made."""
    UNKNOWN = "not known"
    """Whether it can be copied: something did not answer."""


@dataclass
class Report:
    """What became of one backup.

    :ivar copy: the copy's ID; None if there is none.
    :ivar parent: the copy that this one builds on.
    :ivar checked: how the copy was verified, in words.
    :ivar reason: one line, if it was not copied, or its source not removed.
    """

    source: Any
    outcome: Outcome
    copy: str | None = None
    parent: str | None = None
    checked: str = ""
    reason: str = ""
