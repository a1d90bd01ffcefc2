# SPDX-License-Identifier: Apache-2.0
"""What travels with the record of a backup that is exported, and what is read back from that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from oslo_utils import uuidutils

from datera_backup import cinder_record, naming
from datera_backup.cinder_record import Location
from datera_backup.errors import BackupFailed

EXPORT_FORMAT = 1


def described(backup: Any) -> dict[str, Any]:
    """What is exported besides the record itself, which names the container: nothing secret.

    :raises BackupFailed: nothing is stored of the backup, or by another driver.
    """
    location = cinder_record.location_of(backup)
    if location is None:
        raise BackupFailed(f"Nothing is stored of backup {backup.id}")
    return {
        "driver": "datera",
        "format": EXPORT_FORMAT,
        "tenant": location.tenant,
        "container": location.container,
        # A record may be imported under another id than its own.
        "backup": str(location.backup_id),
    }


def location_in(driver_info: Any, backup: Any) -> Location:
    """Where the data of a record are that is being imported.

    :param driver_info: whatever the record has there; users can change it.
    :raises BackupFailed: it was not exported by this driver, or does not say that.
    """
    told = driver_info if isinstance(driver_info, dict) else {}
    if told.get("driver") != "datera" or told.get("format") != EXPORT_FORMAT:
        raise BackupFailed(
            f"The record of backup {backup.id} was not exported by this driver, or by a later "
            f"version of it"
        )
    container = told.get("container")
    if not naming.is_container_name(container):
        raise BackupFailed(f"The record of backup {backup.id} names no container: {container!r}")
    stored_as = told.get("backup", backup.id)
    if not uuidutils.is_uuid_like(stored_as):
        raise BackupFailed(
            f"The record of backup {backup.id} names no backup in its container: {stored_as!r}"
        )
    tenant = told.get("tenant")
    if not naming.is_tenant_path(tenant):
        raise BackupFailed(f"The record of backup {backup.id} names no tenant: {tenant!r}")
    return Location(str(tenant), str(container), UUID(stored_as))
