# SPDX-License-Identifier: Apache-2.0
"""The operations of the contract for backends: with the driver alone, or with your own cloud.

:class:`Cloud` is the interface that the contract uses. :class:`DriverAlone` implements it without a
service: Cinder's records in an SQLite database, volumes in sparse files, and each call of the
driver as Cinder's backup manager makes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from cinder import context as cinder_context
from cinder import coordination, objects, rpc
from cinder.common import config as _config  # noqa: F401 - registers Cinder's options
from cinder.objects import fields
from oslo_config import cfg

from backup_dispatch.testing.device import Device

CONF = cfg.CONF

_NO_VOLUME = "00000000-0000-0000-0000-000000000000"
"""What Cinder's API writes into the record of an import until the driver has been called."""

_NOT_TOLD = ("id", "created_at", "updated_at", "deleted_at", "deleted", "metadata", "parent")

# The chunked drivers leave their timer running when a backup fails, and a process with native
# threads waits for it at its end, forever.
_CINDER_CONF = """\
[DEFAULT]
state_path = {folder}
host = contract
backup_enable_progress_timer = false
transport_url = fake:/
{options}
[database]
connection = sqlite:///{database}
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {folder}
[coordination]
backend_url = file://{folder}
[key_manager]
backend = cinder.keymgr.conf_key_mgr.ConfKeyManager
fixed_key = 0000000000000000000000000000000000000000000000000000000000000000
"""


class Cloud(Protocol):
    """Volumes, and backups of them at the tested backend.

    Any failure raises. Volumes and backups are Cinder's objects.
    """

    @property
    def volume_bytes(self) -> int:
        """The bytes of each volume, at least 16 MiB."""

    def driver(self) -> Any:
        """A driver object of the backend, created as Cinder does for each operation."""

    def create_volume(self) -> Any:
        """A new volume, which reads as zeros."""

    def write(self, volume: Any, offset: int, data: bytes) -> None:
        """Write to a volume."""

    def read(self, volume: Any, offset: int, length: int) -> bytes:
        """Bytes of a volume."""

    def back_up(self, volume: Any, parent: Any = None) -> Any:
        """A new, available backup of the volume; an incremental of ``parent`` if that is given."""

    def restore(self, backup: Any, volume: Any = None) -> Any:
        """Restore to the volume, or to a new one; return it."""

    def delete(self, backup: Any) -> None:
        """Delete the backup and its record."""

    def carry_over(self, backup: Any) -> Any:
        """Export the backup's record, delete it, and import the export; return the record."""

    def reread(self, backup: Any) -> Any:
        """The backup's record as it is now."""


class DriverAlone:
    """A cloud of only records, files and the driver. A context manager.

    :param make_driver: creates a driver object in a context.
    :param options: lines of cinder.conf's ``[DEFAULT]``.
    :param volume_bytes: of each volume, whose record says 1 GiB.
    """

    def __init__(
        self, make_driver: Callable[[Any], Any], options: str = "", volume_bytes: int = 2**30
    ) -> None:
        self._make_driver = make_driver
        self._options = options
        self._undo = ExitStack()
        self.volume_bytes = volume_bytes

    def __enter__(self) -> DriverAlone:
        with ExitStack() as undo:
            self._folder = Path(undo.enter_context(tempfile.TemporaryDirectory()))
            conf = self._folder / "cinder.conf"
            conf.write_text(
                _CINDER_CONF.format(
                    folder=self._folder, options=self._options, database=_database()
                )
            )
            CONF([], project="cinder", version="contract", default_config_files=[str(conf)])
            undo.callback(CONF.reset)
            rpc.init(CONF)
            undo.callback(rpc.cleanup)
            _make_tables()
            if not coordination.COORDINATOR.started:
                coordination.COORDINATOR.start()
                undo.callback(coordination.COORDINATOR.stop)
            self.context = cinder_context.RequestContext(
                "user", "f" * 32, is_admin=True, roles=["admin", "member"], overwrite=False
            )
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._undo.close()

    def driver(self) -> Any:
        """A driver object."""
        return self._make_driver(self.context)

    # Volumes

    def create_volume(self) -> Any:
        """A volume in a sparse file."""
        volume = objects.Volume(
            self.context,
            size=1,
            display_name="volume",
            status="available",
            host="contract@files",
            user_id=self.context.user_id,
            project_id=self.context.project_id,
            volume_type_id=objects.VolumeType.get_by_name_or_id(self.context, "__DEFAULT__").id,
        )
        volume.create()
        with self._path(volume).open("xb") as file:
            file.truncate(self.volume_bytes)
        return volume

    def write(self, volume: Any, offset: int, data: bytes) -> None:
        """Write into the file."""
        with self.opened(volume) as device:
            device.seek(offset)
            device.write(data)

    def read(self, volume: Any, offset: int, length: int) -> bytes:
        """Read from the file."""
        with self._path(volume).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def opened(self, volume: Any) -> Device:
        """The volume as Cinder passes it to a driver."""
        return Device(self._path(volume))

    def _path(self, volume: Any) -> Path:
        return self._folder / f"volume-{volume.id}"

    # Backups

    def back_up(self, volume: Any, parent: Any = None) -> Any:
        """Let the driver back the volume up."""
        backup = self.new_record(volume, parent)
        with self.opened(volume) as device:
            updates = self.driver().backup(backup, device)
        # In the manager's order: what the driver returns wins.
        backup.update({"status": fields.BackupStatus.AVAILABLE, **(updates or {})})
        backup.save()
        if backup.status != fields.BackupStatus.AVAILABLE:
            raise AssertionError(f"the driver returned that the backup is {backup.status}")
        self._count_child(backup.parent_id, 1)
        return self.reread(backup)

    def new_record(self, volume: Any, parent: Any = None) -> Any:
        """The record of a backup that is to be created."""
        backup = objects.Backup(
            self.context,
            user_id=self.context.user_id,
            project_id=self.context.project_id,
            display_name="contract",
            volume_id=volume.id,
            status=fields.BackupStatus.CREATING,
            size=volume.size,
            host="contract",
            availability_zone="nova",
            parent_id=parent.id if parent else None,
        )
        backup.create()
        return self.reread(backup)

    def restore(self, backup: Any, volume: Any = None) -> Any:
        """Let the driver restore the backup."""
        is_new = volume is None
        target = self.create_volume() if volume is None else volume
        record = self.reread(backup)
        record.status = fields.BackupStatus.RESTORING
        record.save()
        with self.opened(target) as device:
            self.driver().restore(record, target.id, device, is_new)
        record.status = fields.BackupStatus.AVAILABLE
        record.save()
        return target

    def delete(self, backup: Any) -> None:
        """Let the driver delete the backup."""
        record = self.reread(backup)
        record.status = fields.BackupStatus.DELETING
        record.save()
        self.driver().delete_backup(record)
        record.destroy()
        self._count_child(record.parent_id, -1)

    def carry_over(self, backup: Any) -> Any:
        """Let the driver export and import the record, as into another cloud."""
        record = self.reread(backup)
        told = self.driver().export_record(record)
        kept = {
            name: getattr(record, name)
            for name in record.fields
            if record.obj_attr_is_set(name) and name not in _NOT_TOLD
        }
        record.destroy()
        self._revive(backup.id)
        imported = self.reread(backup)
        self.driver().import_record(imported, told)
        imported.update(kept)
        imported.save()
        return self.reread(backup)

    def _revive(self, backup_id: str) -> None:
        """Set the deleted record's fields as Cinder's API does for an import."""
        elevated = self.context.elevated(read_deleted="yes")
        backup = objects.Backup.get_by_id(elevated, backup_id)
        backup.update(
            {
                "deleted": False,
                "deleted_at": None,
                "status": fields.BackupStatus.CREATING,
                "volume_id": _NO_VOLUME,
                "container": None,
                "service_metadata": None,
                "object_count": 0,
                "parent_id": None,
            }
        )
        backup.save()

    def reread(self, backup: Any) -> Any:
        """The record."""
        return objects.Backup.get_by_id(self.context, backup.id)

    def _count_child(self, parent_id: str | None, change: int) -> None:
        if parent_id:
            parent = objects.Backup.get_by_id(self.context, parent_id)
            parent.num_dependent_backups += change
            parent.save()


@cache
def _database() -> str:
    """The database of the process, which Cinder opens once: the file is kept until its end."""
    return f"{_folder_of_the_process().name}/cinder.sqlite"


@cache
def _folder_of_the_process() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="contract-")


@cache
def _make_tables() -> None:
    from cinder.db import migration  # reads the configuration when it is imported

    migration.db_sync()
