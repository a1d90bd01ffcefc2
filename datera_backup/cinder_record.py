# SPDX-License-Identifier: Apache-2.0
"""What Cinder's records say about where backups are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cinder import exception, objects
from cinder.objects import fields

from datera_backup import naming
from datera_backup.errors import BackupFailed

ENDED = (fields.BackupStatus.ERROR, fields.BackupStatus.ERROR_DELETING)
"""States of backups that are no longer being written, and may be incomplete.

One whose record says anything else, or which has none, may still be written by a host that does not
see this one's locks.
"""

LIVING = (fields.BackupStatus.AVAILABLE, fields.BackupStatus.RESTORING)
"""States of backups that must be found in their container."""


@dataclass(frozen=True)
class Location:
    """Where a backup is: in which container of which tenant, and what it is called there.

    The tenant is the one that the container was made in, whatever the options say now.
    """

    tenant: str
    container: str
    backup_id: UUID

    @property
    def container_id(self) -> UUID:
        """What the container calls itself."""
        return naming.container_id(self.container)


def is_ours(backup: Any) -> bool:
    """Whether a record says that this driver stored something of the backup."""
    return bool(
        backup.service_metadata
        and naming.read_service_metadata(backup.service_metadata)
        and naming.is_container_name(backup.container)
    )


def location_of(backup: Any) -> Location | None:
    """Return where a record says that the backup is; None where nothing was ever stored.

    ``service_metadata`` is set together with ``container``, before anything is created: while it is
    not, ``container`` is only what the user asked for, whatever it looks like.

    :raises BackupFailed: the record is not one of this driver.
    """
    if not backup.service_metadata:
        return None
    place = naming.read_service_metadata(backup.service_metadata)
    if place is None or not is_ours(backup):
        raise BackupFailed(
            f"The record of backup {backup.id} is not a record of the Datera driver: container "
            f"{backup.container!r}, service metadata {backup.service_metadata!r}"
        )
    tenant, backup_id = place
    return Location(tenant, backup.container, backup_id)


def claim(backup: Any, tenant: str, container: str) -> None:
    """Write into the record where the backup is going to be, before anything of it is there.

    :raises BackupFailed: the tenant's path is too long for a record.
    """
    try:
        metadata = naming.service_metadata(tenant, UUID(backup.id))
    except ValueError as problem:
        raise BackupFailed(
            f"No backup can be kept in tenant {tenant[:80]}…: {problem}. Set "
            f"backup_datera_tenant_id to a shorter one"
        ) from problem
    if (backup.container, backup.service_metadata) == (container, metadata):
        return
    backup.container, backup.service_metadata = container, metadata
    backup.save()


def unclaim(backup: Any, wish: str | None) -> None:
    """Take back what :func:`claim` wrote, where nothing of the backup came to be there.

    :param wish: the name of a container that the user asked for.
    """
    backup.container, backup.service_metadata = wish, None
    backup.save()


def present(context: Any, backup: Any) -> Any:
    """Return the record as it is in the database now, or as it was handed in if it is gone."""
    try:
        return objects.Backup.get_by_id(context.elevated(read_deleted="yes"), backup.id)
    except exception.BackupNotFound:
        return backup


def children_of(context: Any, backup_id: str) -> list[str]:
    """Return the ids of all backups, of any project, that have this one as their parent.

    In whatever state they are: also one in ``error`` may hold data, and one that is being deleted
    may stay. Cinder's API goes by the same rule, but sees only the caller's project.
    """
    records = objects.BackupList.get_all(context.elevated(), filters={"parent_id": backup_id})
    return sorted(record.id for record in records)


def homes_of_children(context: Any, backup_id: str) -> dict[str, str]:
    """Return the good backups that have this one as their parent, and their containers."""
    records = objects.BackupList.get_all(context.elevated(), filters={"parent_id": backup_id})
    return {
        record.id: record.container
        for record in records
        if record.status in LIVING and is_ours(record)
    }


def states_of(context: Any, container: str, backups: Collection[UUID]) -> dict[UUID, str]:
    """Return the states that the records of these backups in the container have.

    Each is looked up by its id, which costs nothing in a large table. One without a record of its
    own id is missing, as if it were imported under another id: then nothing is known of it.
    """
    found: dict[UUID, str] = {}
    for backup_id in backups:
        try:
            record = objects.Backup.get_by_id(context.elevated(), str(backup_id))
        except exception.BackupNotFound:
            continue
        if record.container == container and _backup_id_in(record) == backup_id:
            found[backup_id] = record.status
    return found


def living_in(context: Any, container: str) -> set[UUID]:
    """Return the backups that are good and in the container.

    By the records of all projects, whatever their ids: the whole table is searched.
    """
    return _in(context, container, LIVING)


def wanted_in(context: Any, container: str, *, besides: UUID) -> set[UUID]:
    """Return the backups that are good and in the container, and those that are being written.

    By the records of all projects, whatever their ids: the whole table is searched.
    """
    return _in(context, container, (*LIVING, fields.BackupStatus.CREATING)) - {besides}


def other_record_at(context: Any, backup_id: str, location: Location) -> str | None:
    """Return the id of another record of this cloud that names the same backup in its container.

    A record may be imported beside the one that it was exported from, under an id of its own. One
    that is being deleted does not count, or neither of two would take the backup with it.
    """
    for record in objects.BackupList.get_all(
        context.elevated(), filters={"container": location.container}
    ):
        same = _backup_id_in(record) == location.backup_id
        if same and record.id != backup_id and record.status != fields.BackupStatus.DELETING:
            return str(record.id)
    return None


def _in(context: Any, container: str, states: Collection[str]) -> set[UUID]:
    records = objects.BackupList.get_all(context.elevated(), filters={"container": container})
    found = {_backup_id_in(record) for record in records if record.status in states}
    return {backup_id for backup_id in found if backup_id is not None}


def _backup_id_in(backup: Any) -> UUID | None:
    place = naming.read_service_metadata(backup.service_metadata or "")
    return place[1] if place else None
