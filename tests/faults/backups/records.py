# SPDX-License-Identifier: Apache-2.0
"""Records of backups, and what Cinder's manager does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from oslo_utils import timeutils
from sqlalchemy import text

if TYPE_CHECKING:
    from tests.fixtures.cinder.service import CinderService

_RECORDS = text(
    "SELECT id, status, container, service_metadata, parent_id FROM backups WHERE NOT deleted"
    " ORDER BY created_at"
)
_SET_STATUS = text("UPDATE backups SET status = :status WHERE id = :id")


class Row(NamedTuple):
    """What the database says of a backup."""

    id: str
    status: str
    container: str | None
    service_metadata: str | None
    parent_id: str | None


class Records:
    """The backups of one volume in one Cinder's database."""

    service: CinderService
    context: Any
    engine: Any
    volume: Any
    folder: Path

    @property
    def driver(self) -> Any:
        """A new driver object, as Cinder makes one for each operation."""
        from datera_backup.driver import DateraBackupDriver

        return DateraBackupDriver(self.context)

    @property
    def disks(self) -> Path:
        """Where the volumes lie."""
        return self.folder / "disks"

    def source(self, day: int) -> Path:
        """The volume as it is on a day."""
        return self.disks / f"day{day}"

    @property
    def target(self) -> Path:
        """The volume to restore to."""
        return self.disks / "target"

    def record(self, parent: str | None = None) -> str:
        """Make the record of a backup that is not taken yet; return its id."""
        from cinder import objects

        backup = objects.Backup(
            self.context,
            user_id=self.context.user_id,
            project_id=self.context.project_id,
            volume_id=self.volume.id,
            host=self.service.backup_manager.host,
            parent_id=parent,
            display_name="nightly",
            data_timestamp=timeutils.utcnow(),
            size=1,
            status="creating",
        )
        backup.create()
        return str(backup.id)

    def backup(self, backup_id: str) -> Any:
        """Read a record."""
        return self.service.backup(backup_id)

    def records(self) -> list[Row]:
        """All records that are not deleted; Cinder's objects take a hundred times as long."""
        with self.engine.connect() as connection:
            rows = connection.execute(_RECORDS).mappings().all()
        return [Row(**row) for row in rows]

    def row(self, backup_id: str) -> Row:
        """One of the records."""
        (found,) = [row for row in self.records() if row.id == backup_id]
        return found

    def take(self, backup_id: str, day: int) -> Any:
        """Take a backup of the volume as it was on a day."""
        with self.source(day).open("rb") as file:
            return self.driver.backup(self.backup(backup_id), file)

    def taken(self, backup_id: str, updates: Any = None) -> None:
        """Write down that it succeeded, as Cinder's manager does."""
        record = self.backup(backup_id)
        record.status = "available"
        for name, value in (updates or {}).items():
            setattr(record, name, value)
        record.save()

    def put(self, backup_id: str, status: str) -> None:
        """Set the state of a backup."""
        with self.engine.begin() as connection:
            connection.execute(_SET_STATUS, {"id": backup_id, "status": status})

    def full(self, day: int = 0, parent: str | None = None) -> str:
        """Take a backup that succeeds; return its id."""
        backup_id = self.record(parent)
        self.taken(backup_id, self.take(backup_id, day))
        assert self.backup(backup_id).status == "available"
        return backup_id

    def delete(self, backup_id: str) -> None:
        """Delete a backup and its record, as Cinder's manager does."""
        record = self.backup(backup_id)
        self.driver.delete_backup(record)
        record.destroy()
