# SPDX-License-Identifier: Apache-2.0
"""What a run over many backups finds out, how far it is, and how long it may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from backup_dispatch.backup_rows import Row
from backup_dispatch.drivers.verification import Verdict, Verified
from backup_dispatch.jobs.remembered import Past


class TimeIsUp(BaseException):
    """The run has no time left; like a signal, no driver may take it for an error of its own."""


@dataclass(frozen=True)
class Outcome:
    """What a run found out about one backup.

    :ivar row: its record, as it was when the run began.
    :ivar backend: who has it, if that is known.
    :ivar verdict: None if the run ended before there was one.
    :ivar found: what was read, and what was found there.
    :ivar past: what was remembered before.
    :ivar since: sound: all that a restore reads was read at this time or later; damaged: when that
        was found; None without a verdict.
    :ivar read: when the backup's own data was last read to its end.
    :ivar seconds: how long the reading took.
    :ivar is_news: damage that was not told before, by this run or an earlier one.
    :ivar was_tried: False if nothing could even be begun, such as while the backend is down.
    """

    row: Row
    backend: str | None
    verdict: Verdict | None
    found: Verified
    past: Past
    since: datetime | None = None
    read: datetime | None = None
    seconds: float = 0.0
    is_news: bool = False
    was_tried: bool = True


@dataclass
class Position:
    """How far a run is.

    :ivar items: how many backups there are in all.
    :ivar total: bytes of their volumes.
    :ivar number: of the backup that is being read, beginning with 1; and its record.
    :ivar done: bytes of volumes that are done, as if each were read whole.
    """

    items: int
    total: int
    number: int = 0
    row: Row | None = None
    done: float = 0.0


@dataclass
class Limits:
    """How long a run may take.

    :ivar seconds: None: until everything is done.
    :ivar clock: seconds since an arbitrary moment.
    """

    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    _ends: float | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin to count."""
        self._ends = None if self.seconds is None else self.clock() + self.seconds

    @property
    def left(self) -> float:
        """The part of its time that the run still has; 1.0 without a limit."""
        if self._ends is None or not self.seconds:
            return 1.0
        return max((self._ends - self.clock()) / self.seconds, 0.0)

    def require(self) -> None:
        """Require that there is time left.

        :raises TimeIsUp: there is none.
        """
        if self._ends is not None and self.clock() >= self._ends:
            raise TimeIsUp
