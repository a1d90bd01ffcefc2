# SPDX-License-Identifier: Apache-2.0
"""A cloud whose backups are records of past hours, on three backends that hold a few numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid5

import pytest
from oslo_utils import timeutils

from backup_dispatch.process import this_process

LASTING = "tests.fixtures.backends.lasting"
CLASSES = {
    "tape": f"{LASTING}.tape.TapeDriver",
    "disk": f"{LASTING}.disk.DiskDriver",
    "array": f"{LASTING}.array.ArrayDriver",
}
PROJECT = "f" * 32
BEGIN = datetime(2025, 11, 24, tzinfo=timezone.utc)
_NAMES = UUID(int=18)

COLUMNS = (
    "id, display_name, volume_id, user_id, project_id, host, status, size, service, parent_id, "
    "num_dependent_backups, created_at, data_timestamp, container, object_count, deleted"
)


@dataclass
class Time:
    """A clock that only moves when somebody sleeps, and then at once."""

    seconds: float = 0.0

    def clock(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> datetime:
        now = timeutils.utcnow().replace(tzinfo=timezone.utc)
        return now + timedelta(seconds=self.seconds)


@dataclass
class Past:
    """A cloud, to which backups of past hours are added."""

    cinder: Any
    shelves: Any
    time: Time = field(default_factory=Time)

    def id_of(self, backend: str, volume: str, hour: int) -> str:
        return str(uuid5(_NAMES, f"{backend} {volume} {hour}"))

    def add(
        self,
        backend: str,
        hours: dict[int, int | None],
        *,
        volume: str = str(UUID(int=1)),
        properties: dict[int, dict[str, str]] | None = None,
        status: str = "available",
    ) -> list[str]:
        """Backups of these hours since the beginning, each on that of another hour or on none."""
        rows, children, ids = [], {}, []
        for hour, parent in hours.items():
            backup = self.id_of(backend, volume, hour)
            above = None if parent is None else self.id_of(backend, volume, parent)
            if above:
                children[above] = children.get(above, 0) + 1
            made = f"{BEGIN + timedelta(hours=hour):%Y-%m-%d %H:%M:%S.000000}"
            self.shelves.put(backup, above, {hour % 7: hour, 100: hour})
            ids.append(backup)
            rows.append(
                (backup, f"{backend}_{hour}", volume, "user", PROJECT, "testhost", status, 1)
                + (CLASSES[backend], above, 0, made, made, "lasting", 0, 0)
            )
        marks = "?, " * len(rows[0])
        noted = [
            (self.id_of(backend, volume, hour), key, value, 0)
            for hour, values in (properties or {}).items()
            for key, value in values.items()
        ]
        with sqlite3.connect(self.cinder.database) as database:
            database.executemany(f"INSERT INTO backups ({COLUMNS}) VALUES ({marks[:-2]})", rows)
            database.executemany(
                "UPDATE backups SET num_dependent_backups = num_dependent_backups + ? WHERE id = ?",
                [(count, parent) for parent, count in children.items()],
            )
            database.executemany(
                "INSERT INTO backup_metadata (backup_id, key, value, deleted) VALUES (?, ?, ?, ?)",
                noted,
            )
        return ids

    def count_quota(self) -> None:
        """Let the project's usage be what there is."""
        with sqlite3.connect(self.cinder.database) as database:
            (count,) = database.execute("SELECT COUNT(*) FROM backups WHERE deleted = 0").fetchone()
            for resource in ("backups", "backup_gigabytes"):
                database.execute(
                    "INSERT INTO quota_usages (project_id, resource, in_use, reserved, deleted) "
                    "VALUES (?, ?, ?, 0, 0)",
                    (PROJECT, resource, count),
                )

    def used(self) -> dict[str, int]:
        """The project's usage."""
        with sqlite3.connect(self.cinder.database) as database:
            return dict(database.execute("SELECT resource, in_use FROM quota_usages"))

    def records(self) -> dict[str, tuple[str | None, int, str]]:
        """The parent, the number of children and the status of each backup, by ID."""
        with sqlite3.connect(self.cinder.database) as database:
            return {
                backup: tuple(rest)
                for backup, *rest in database.execute(
                    "SELECT id, parent_id, num_dependent_backups, status FROM backups "
                    "WHERE deleted = 0"
                )
            }

    def properties(self) -> list[tuple[str, str]]:
        """All properties of backups that exist."""
        with sqlite3.connect(self.cinder.database) as database:
            return database.execute(
                "SELECT backup_id, key FROM backup_metadata WHERE deleted = 0"
            ).fetchall()

    def retention(self, service: Any = None, patience: float = 3600.0) -> Any:
        """What prunes, with the cloud's own service or another."""
        from oslo_config import cfg

        from backup_dispatch.backends.configured import configured
        from backup_dispatch.jobs.prune.deletion import World
        from backup_dispatch.jobs.prune.run import Retention
        from backup_dispatch.jobs.prune.service import CinderBackup

        time = self.time
        world = World(service or CinderBackup(), time.clock, time.sleep, time.now, patience)
        context = self.cinder.context_for_services()
        return Retention(context, configured(cfg.CONF), world, lambda _backend: None)


@pytest.fixture
def start_past(start_cinder: Callable[..., Any]) -> Iterator[Callable[[], Past]]:
    """Start such a cloud."""

    def start() -> Past:
        from tests.fixtures.backends.lasting.store import SHELVES

        SHELVES.stored.clear()
        backends = ", ".join(CLASSES[name] for name in ("tape", "array"))
        lines = (
            "backup_driver = backup_dispatch.driver.BackupDispatcher",
            f"backup_dispatch_primary = {CLASSES['disk']}",
            f"backup_datera_secondary_backup_drivers = {backends}",
        )
        return Past(start_cinder(defaults="\n".join(lines)), SHELVES)

    yield start
    this_process().stop_checking()


@pytest.fixture
def past(start_past: Callable[[], Past]) -> Past:
    """One such cloud."""
    return start_past()
