# SPDX-License-Identifier: Apache-2.0
"""Delete one backup from its container, and the container with the last one in it."""

from __future__ import annotations

from typing import Any

from oslo_log import log as logging

from datera_backup import containers, record
from datera_backup.attachment import Attachments
from datera_backup.container import (
    BackupNotInContainer,
    Container,
    Remains,
    State,
)
from datera_backup.errors import (
    ContainerDamaged,
    ContainerGone,
    ContainerUnreadable,
    StillAParent,
)
from datera_backup.locks import remove_locks, writer_lock
from datera_backup.native import in_native_thread
from datera_backup.record import Location
from datera_backup.undo import Undo

LOG = logging.getLogger(__name__)

WAIT_SECONDS = 24 * 3600.0
"""How long a deletion waits for another backup that is being written to the same container."""


def delete(attachments: Attachments, context: Any, backup_id: str, location: Location) -> None:
    """Delete the backup, unless another record names it; one that is gone already is no error.

    :param backup_id: the record's.
    :raises StillAParent: an incremental needs it.
    :raises AbsenceUnproven: its container is not found, and not proven to be gone.
    :raises ContainerBusy: somebody went on using the container.
    :raises ContainerDamaged: what is left in the container contradicts Cinder's records.
    """
    name = location.container
    lock = writer_lock(name)
    with Undo(f"Deleting a backup from container {name}") as undo:
        lock.acquire(WAIT_SECONDS)
        undo.add("release its lock", lock.release)
        _refuse_if_parent(context, backup_id)
        other = record.other_record_at(context, backup_id, location)
        if other is not None:
            LOG.info("The data of backup %s stays: backup %s has the same.", backup_id, other)
            undo.settled()
            return
        try:
            if _drop(attachments, context, location) is Remains.EMPTY:
                _refuse_if_wanted(context, location, "it holds none")
                attachments.delete(name)
                remove_locks(name)
                LOG.info("Container %s was deleted with the last backup in it.", name)
        except ContainerGone as gone:
            LOG.warning("Nothing to delete of backup %s: %s", location.backup_id, gone)
            remove_locks(name)
        undo.settled()


def _drop(attachments: Attachments, context: Any, location: Location) -> Remains:
    try:
        with containers.opened(attachments, location.container, writable=True) as container:
            try:
                return in_native_thread(container.drop, location.backup_id)
            except BackupNotInContainer:
                LOG.debug("Backup %s is not in its container.", location.backup_id)
                return _remains(container)
    except ContainerUnreadable as damage:
        # If it is the home of no other backup, nothing is lost by deleting it as a whole; that it
        # is ours, the cluster says.
        _refuse_if_wanted(context, location, str(damage))
        LOG.warning("%s; it is deleted as a whole with backup %s.", damage, location.backup_id)
        return Remains.EMPTY


def _remains(container: Container) -> Remains:
    left = any(entry.state is not State.DEAD for entry in container.entries)
    return Remains.BACKUPS if left else Remains.EMPTY


def _refuse_if_parent(context: Any, backup_id: str) -> None:
    # Cinder's API has looked too, but only in the project of whoever asks, and some time ago. An
    # incremental that begins from now on finds its parent's state and does not begin.
    children = record.children_of(context, backup_id)
    if children:
        raise StillAParent(
            f"Backup {backup_id} is not deleted: backup {children[0]} is an incremental of it"
            + (f", and {len(children) - 1} more are" if len(children) > 1 else "")
        )


def _refuse_if_wanted(context: Any, location: Location, found: str) -> None:
    wanted = record.wanted_in(context, location.container, besides=location.backup_id)
    if wanted:
        raise ContainerDamaged(
            f"Container {location.container} should hold {len(wanted)} more backups, among them "
            f"{min(wanted, key=str)}, but {found}; nothing is deleted"
        )
