# SPDX-License-Identifier: Apache-2.0
"""When each job was last run on this host, and how that ended.

One small file for each job below Cinder's ``state_path``. It is written when a run begins and when
it ends, so that one that was killed is seen as begun and never ended. It belongs to the run that is
under way: that one has the lock of a file beside it, which the kernel releases with its process.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from oslo_log import log as logging

from backup_dispatch.counting.whole_file import write_text
from backup_dispatch.errors import reason_of

LOG = logging.getLogger(__name__)

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Run:
    """The last run of a job; times are in UTC.

    :ivar ended: None while it runs, or if it was killed.
    :ivar code: its exit code.
    :ivar succeeded: the end of the last run that ended with 0, which may be an earlier one.
    """

    job: str
    began: datetime
    ended: datetime | None = None
    code: int | None = None
    succeeded: datetime | None = None


@dataclass(frozen=True)
class Begun:
    """A run that is under way in this process.

    :ivar claim: the descriptor with which the job's file belongs to it; None if another run has it.
    """

    job: str
    began: datetime
    claim: int | None


class Runs:
    """The runs that are remembered in a folder.

    :param now: the time in UTC.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    def begin(self, job: str) -> Begun:
        """Note that a run begins, unless another one is under way on this host."""
        begun = Begun(job, self._now(), self._claim(job))
        if begun.claim is not None:
            self._write(Run(job, begun.began, succeeded=self._succeeded(job)))
        return begun

    def end(self, begun: Begun, code: int, *, refused: bool = False) -> None:
        """Note how a run ended, unless another one is under way on this host.

        :param refused: another run had the job's own lock. Where that was one on this host, this
            one is not remembered at all; where it was on another host, this host's run failed.
        """
        claim = begun.claim
        if claim is None and not refused:
            # Some jobs may run twice at once, such as copies to two backends.
            claim = self._claim(begun.job)
        if claim is None:
            return
        try:
            now = self._now()
            succeeded = self._succeeded(begun.job) if code else now
            self._write(Run(begun.job, begun.began, now, code, succeeded))
        finally:
            os.close(claim)

    def _claim(self, job: str) -> int | None:
        """A descriptor that has the lock of a job's file; None if another run has it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            place = os.open(self._folder / f"{job}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            if os.geteuid() == 0:
                # Whoever else runs the job here must be able to open it.
                owner = self._folder.stat()
                os.fchown(place, owner.st_uid, owner.st_gid)
        except OSError as error:
            # The job's own work matters more.
            LOG.info("The run of %s cannot be noted: %s", job, reason_of(error))
            return None
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(place)
            return None
        except OSError as error:
            LOG.info("Two runs of %s at once would not be noticed: %s", job, reason_of(error))
        return place

    def _succeeded(self, job: str) -> datetime | None:
        before = self._read(self._path(job))
        return before.succeeded if before else None

    def all(self) -> list[Run]:
        """The last run of each job, by its name; a file that cannot be read is left out."""
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return []
        found = (self._read(path) for path in paths)
        return [one for one in found if one is not None]

    def _path(self, job: str) -> Path:
        return self._folder / f"{job}.json"

    def _read(self, path: Path) -> Run | None:
        try:
            values = json.loads(path.read_text())
            return Run(path.stem, *_fields(values))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _write(self, run: Run) -> None:
        values = {
            name: value.strftime(_TIME) if isinstance(value, datetime) else value
            for name, value in asdict(run).items()
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_text(self._path(run.job), json.dumps(values) + "\n")
        except OSError as error:
            # The job's own work matters more.
            LOG.info("The run of %s could not be noted: %s", run.job, reason_of(error))


def _fields(values: Mapping[str, Any]) -> Iterator[Any]:
    yield _moment(values["began"])
    yield _moment(values["ended"]) if values["ended"] is not None else None
    yield None if values["code"] is None else int(values["code"])
    yield _moment(values["succeeded"]) if values["succeeded"] is not None else None


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _TIME)


def folder_of(conf: Any) -> Path:
    """Where the runs of this host's jobs are remembered."""
    return Path(conf.state_path) / "backup-dispatch" / "runs"
