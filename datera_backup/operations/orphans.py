# SPDX-License-Identifier: Apache-2.0
"""Containers on the cluster that no record of this Cinder names, and their removal.

Several Cinders may share a tenant, and on the cluster their containers look alike. What proves that
a container is this Cinder's own is the record of the backup that it is named after: Cinder keeps
the records of deleted backups until they are purged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cinder import exception, objects
from oslo_log import log as logging

from datera_backup import cinder_record, naming
from datera_backup.clean_up import CleanUp
from datera_backup.container import ContainerError
from datera_backup.errors import (
    BackupFailed,
    ContainerBusy,
    ContainerGone,
    ContainerUnreadable,
    StillWanted,
)
from datera_backup.storage import chains, containers
from datera_backup.storage.backend import DateraBackend
from datera_backup.storage.locks import remove_locks, writer_lock
from datera_volume.connection import AppInstance

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Orphan:
    """A container that no living record names.

    :ivar created: when its first backup was begun; None where no record tells.
    :ivar backups: those in it; None where it was not opened or cannot be read.
    :ivar doubt: why it is not removed; empty where it is provably this Cinder's own.
    """

    name: str
    tenant: str
    size_gib: int
    created: datetime | None
    backups: tuple[str, ...] | None
    doubt: str


def find_orphans(backend: DateraBackend, context: Any) -> list[Orphan]:
    """Return them, sorted by name; only those that are this Cinder's own are opened."""
    # First the cluster, then the records: a record names its container before that is made.
    instances = [
        ai for ai in backend.tenant.app_instances(naming.ANY_CONTAINER) if naming.is_ours(ai)
    ]
    found = (_look(backend, context, ai) for ai in sorted(instances, key=lambda ai: ai.name))
    return [orphan for orphan in found if orphan is not None]


def remove_orphan(backend: DateraBackend, context: Any, name: str) -> None:
    """Delete one, after checking again that it is an orphan.

    :raises StillWanted: a record names it, or needs it, or it is not provably this Cinder's own.
    :raises ContainerBusy: it is being written or read.
    :raises ContainerGone: it is not on the cluster.
    """
    lock = writer_lock(name)
    with CleanUp(f"Removing container {name}") as clean_up:
        if not lock.try_acquire():
            raise ContainerBusy(f"Container {name} is being written to")
        clean_up.add("release its lock", lock.release)
        try:
            # Before it is opened, which would disturb another Cinder, and right before it goes.
            _refuse_if_not_orphan(backend, context, name)
            _refuse_if_needed(context, name, _backups_in(backend, name) or ())
            _refuse_if_named(backend, name)
            _refuse_if_not_orphan(backend, context, name)
            backend.attachments.delete(name)
        except ContainerGone:
            remove_locks(name)
            raise
        remove_locks(name)
        LOG.info("Container %s was deleted: no record named it.", name)


def _look(backend: DateraBackend, context: Any, ai: AppInstance) -> Orphan | None:
    if _named_by(context, ai.name):
        return None
    first = _first_record(context, ai.name)
    doubt = _doubt(first, ai.name) or ("it is in use" if ai.has_initiators else "")
    backups = None
    if not doubt:
        try:
            backups = _backups_in(backend, ai.name)
            needing = chains.who_needs(backend.attachments, ai.name)
            if needing:
                doubt = f"backups in {min(needing)} have blocks in it, or may have"
        except (BackupFailed, ContainerError) as failure:
            doubt = f"it cannot be opened: {failure}"
    return Orphan(
        name=ai.name,
        tenant=ai.tenant or backend.settings.tenant,
        size_gib=ai.volume.size_gib,
        created=first.created_at if first is not None else None,
        backups=backups,
        doubt=doubt,
    )


def _named_by(context: Any, name: str) -> list[str]:
    """The living records, of any project, that name the container."""
    records = objects.BackupList.get_all(context.elevated(), filters={"container": name})
    return sorted(one.id for one in records)


def _first_record(context: Any, name: str) -> Any:
    """The record, deleted or not, of the backup that the container is named after."""
    everything = context.elevated(read_deleted="yes")
    try:
        return objects.Backup.get_by_id(everything, str(naming.container_id(name)))
    except exception.BackupNotFound:
        return None


def _doubt(first: Any, name: str) -> str:
    if first is None:
        return "no record, not even a deleted one, proves that it belongs to this Cinder"
    if not first.deleted:
        return "the backup that it is named after still has a record"
    if not cinder_record.is_ours(first) or first.container != name:
        return "the deleted record of that backup names another container"
    return ""


def _backups_in(backend: DateraBackend, name: str) -> tuple[str, ...] | None:
    try:
        with containers.opened(backend.attachments, name) as container:
            return tuple(
                str(entry.backup_id) for entry in container.entries if not entry.state.is_gone
            )
    except ContainerUnreadable as damage:
        LOG.warning("%s", damage)
        return None


def _refuse_if_not_orphan(backend: DateraBackend, context: Any, name: str) -> None:
    wanted = _named_by(context, name)
    if wanted:
        raise StillWanted(f"Container {name} is not touched: backup {wanted[0]} names it")
    doubt = _doubt(_first_record(context, name), name)
    if doubt:
        raise StillWanted(f"Container {name} is not touched: {doubt}")
    # One that is online with an empty access list was left behind while being created.
    if backend.attachments.find(name).has_initiators:
        raise ContainerBusy(f"Container {name} is in use, or was left attached by a crashed host")


def _refuse_if_needed(context: Any, name: str, inside: tuple[str, ...]) -> None:
    """A younger container of the chain may refer to blocks in this one.

    Deleted records are looked at too: a container that cannot be read does not tell what is in it,
    and a chain goes on behind a link that was deleted by hand. Where records were purged, what is
    left of the chain is known by its volume.
    """
    everything = context.elevated(read_deleted="yes")
    known = objects.BackupList.get_all(everything, filters={"container": name})
    for volume_id in sorted({one.volume_id for one in known}):
        for one in objects.BackupList.get_all(context.elevated(), filters={"volume_id": volume_id}):
            if one.parent_id and cinder_record.is_ours(one):
                raise StillWanted(
                    f"Container {name} is not touched: backup {one.id} is an incremental of the "
                    f"same volume, {volume_id}, and may need what is in it"
                )
    seen: set[str] = set()
    pending = {*inside, *(one.id for one in known)}
    while pending:
        seen |= pending
        children = [
            one
            for backup_id in sorted(pending)
            for one in objects.BackupList.get_all(everything, filters={"parent_id": backup_id})
        ]
        for one in children:
            if not one.deleted:
                raise StillWanted(
                    f"Container {name} is not touched: backup {one.id} is an incremental of what "
                    f"was in it"
                )
        pending = {one.id for one in children} - seen


def _refuse_if_named(backend: DateraBackend, name: str) -> None:
    """Of a backup that was forgotten there is no record, while its children need its blocks."""
    needing = chains.who_needs(backend.attachments, name)
    if needing:
        raise StillWanted(
            f"Container {name} is not touched: backups in {min(needing)} have blocks in it, or may "
            f"have"
        )
