# SPDX-License-Identifier: Apache-2.0
"""When each job was last run on this host, and how that ended.

One small file for each job below Cinder's ``state_path``. It is written when a run begins and when
it ends, so that one that was killed is seen as begun and never ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
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


class Runs:
    """The runs that are remembered in a folder.

    :param now: the time in UTC.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    def begin(self, job: str) -> None:
        """Note that a run begins."""
        before = self._read(self._path(job))
        self._write(Run(job, self._now(), succeeded=before.succeeded if before else None))

    def end(self, job: str, code: int) -> None:
        """Note how it ended."""
        run, now = self._read(self._path(job)), self._now()
        if run is None:
            return
        ended = replace(run, ended=now, code=code)
        self._write(ended if code else replace(ended, succeeded=now))

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
