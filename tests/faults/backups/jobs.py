# SPDX-License-Identifier: Apache-2.0
"""The dispatcher's job that copies backups, from one Datera backend to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.drivers.interface import Progress
from tests.faults.backups.operations import Act, Ids, Operation
from tests.faults.backups.stage import WEST, Stage
from tests.faults.backups.volume import content_of


class Cloud:
    """The backends, which are up: their checks would be further requests, in threads."""

    def __init__(self, stage: Stage) -> None:
        from oslo_config import cfg

        from backup_dispatch.backends.configured import configured

        self.context: Any = stage.context
        self.enabled: Backends = configured(cfg.CONF)

    def driver(self, backend: Backend, _backup: Any) -> Any:
        """A new driver object."""
        return backend.make(self.context)

    def owner(self, backup: Any) -> Backend:
        """The backend that has a backup, by its record."""
        name = WEST if backup.service and backup.service.endswith(f"@{WEST}") else "datera"
        backend = self.enabled.named(name)
        assert backend is not None
        return backend


@contextmanager
def _shown(_what: str) -> Iterator[Progress]:
    yield lambda _done, _of: None


@dataclass
class CopyJob(Operation):
    """Copy a backup to the other backend, and read the copy back."""

    day: int = 0

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        from backup_dispatch.jobs.copying.request import Check, Request
        from backup_dispatch.jobs.copying.run import run

        cloud, source = Cloud(stage), stage.backup(ids["full"])
        target = cloud.enabled.named(WEST)
        assert target is not None
        request = Request(target, check=Check.FULL, scratch=stage.folder)
        sources = [(source, cloud.owner(source))]
        return lambda: list(run(cloud, request, sources, _shown))

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        from backup_dispatch.jobs.copying.request import Outcome

        (report,) = told
        if report.outcome in (Outcome.COPIED, Outcome.THERE):
            if stage.row(report.copy).status != "available":
                yield "the copy is not available"
            elif stage.reading(report.copy) != content_of(self.day):
                yield "the copy is not what was copied"
        elif not report.reason:
            yield f"it is {report.outcome.value}, and nobody knows why"
        elif report.outcome is Outcome.DAMAGED and not stage.devices_fail:
            yield f"damage is found where there is none: {report.reason}"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        from backup_dispatch.jobs.copying.run import clear

        cloud = Cloud(stage)
        target = cloud.enabled.named(WEST)
        assert target is not None
        for backup, why in clear(cloud, target):
            if why:
                yield f"what is left of copy {backup} cannot be removed: {why}"
        told = self.prepare(stage, ids)()
        yield from self.wrong(stage, ids, told)
        if told[0].copy is None:
            yield f"it cannot be copied afterwards: {told[0].reason}"
        copies = {row.id for row in stage.records()} - set(ids.values())
        if copies != {told[0].copy}:
            yield f"there are copies {copies}"
