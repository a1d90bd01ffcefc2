# SPDX-License-Identifier: Apache-2.0
"""Backups that are read for a copy, written as one, and cancelled while they run."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from datera_backup.engine.pipeline.threads import unpatched_threading
from tests.faults.backups.operations import Act, Create, Ids, Operation
from tests.faults.backups.stage import Stage
from tests.faults.backups.volume import content_of


@dataclass
class ReadForACopy(Operation):
    """Open a backup at any offset and read all of it, as a copy to another backend does."""

    of: str = "full"
    day: int = 0

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        record, driver = stage.backup(ids[self.of]), stage.driver

        def act() -> bytes:
            with closing(driver.open_data(record)) as data:
                content = bytearray(data.size)
                for offset, length in data.extents():
                    missing = data.read_into(offset, memoryview(content)[offset : offset + length])
                    if missing:
                        return b""
            return bytes(content)

        return act

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        if told != content_of(self.day) and not (stage.devices_fail and told == b""):
            yield "what was read is not what was backed up"

    def heal(self, stage: Stage, ids: Ids, error: Exception | None) -> Iterator[str]:
        if error is not None:
            yield from self.wrong(stage, ids, self.prepare(stage, ids)())


@dataclass
class Copy(Create):
    """Take a backup of what another one holds, which stays open meanwhile."""

    day: int = 0

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        self.before = stage.names
        record, source = stage.backup(ids["new"]), stage.backup(ids["full"])

        def act() -> Any:
            with closing(stage.driver.open_data(source)) as data:
                return stage.driver.backup(record, data, False)

        return act


@dataclass
class Cancel(Create):
    """Take a backup whose record is deleted while its volume is read."""

    def prepare(self, stage: Stage, ids: Ids) -> Act:
        self.before = stage.names
        record = stage.backup(ids["new"])

        def act() -> Any:
            with _while_reading(stage, ids["new"], content_of(self.day)) as volume:
                return stage.driver.backup(record, volume, False)

        return act

    def ended(self, stage: Stage, ids: Ids, told: Any, error: Exception | None) -> None:
        stage.put(ids["new"], "error_deleting")

    def wrong(self, stage: Stage, ids: Ids, told: Any) -> Iterator[str]:
        if told is None or told.get("status") != "error":
            yield f"it is not cancelled: {told}"


class HeldVolume(io.BytesIO):
    """A volume whose bytes come once its backup was looked at."""

    def __init__(self, content: bytes, stage: Stage, backup_id: str) -> None:
        super().__init__(content)
        threading = unpatched_threading()
        self.begun, self.looked_at = threading.Event(), threading.Event()
        self._database = stage.service.database
        self._backup_id = backup_id

    def read(self, size: int | None = -1) -> bytes:
        """Let the record be deleted, and wait."""
        if not self.begun.is_set():
            # Past what counts statements.
            with closing(sqlite3.connect(self._database)) as database, database:
                database.execute(
                    "UPDATE backups SET status = 'deleting' WHERE id = ?", (self._backup_id,)
                )
            self.begun.set()
        self.looked_at.wait()
        return super().read(size)


@contextmanager
def _while_reading(stage: Stage, backup_id: str, content: bytes) -> Iterator[HeldVolume]:
    """A volume whose backup's record is being deleted when it is looked at first."""
    from datera_backup.engine import Job

    volume, wait = HeldVolume(content, stage, backup_id), Job.wait

    def look(job: Any, timeout: float | None = None) -> bool:
        if timeout is None:
            volume.looked_at.set()
            return wait(job)
        while not volume.begun.wait(0.01):
            if wait(job, 0):  # it has failed before it read anything
                return True
        return False

    with mock.patch.object(Job, "wait", look):
        yield volume
