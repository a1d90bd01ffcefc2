# SPDX-License-Identifier: Apache-2.0
"""Deletes the source of a copy: only after that was verified, and nothing builds on the source."""

from __future__ import annotations

from typing import Any

from cinder import exception
from cinder.objects import fields

from backup_dispatch.backends.configured import Backend
from backup_dispatch.drivers.folders import refuse_outside
from backup_dispatch.errors import CopyFailed
from backup_dispatch.jobs.copying import record
from backup_dispatch.jobs.copying.choice import Copies, children_of
from backup_dispatch.jobs.copying.request import Cloud


def remove_source(cloud: Cloud, copies: Copies, source: Any, owner: Backend, copy: Any) -> None:
    """Delete a backup that has a verified copy.

    :raises CopyFailed: it is left as it is, or could not be deleted as a whole.
    :raises DispatchError: its backend is down.
    """
    driver = cloud.driver(owner, source)
    refuse_outside(driver, source, owner.name)
    _refuse_parent(cloud, source)
    for other in copies.under_way(source):
        raise CopyFailed(f"Backup {source.id} is left: copy {other.id} is being made of it.")
    try:
        copy.refresh()
    except exception.BackupNotFound as gone:
        raise CopyFailed(f"Backup {source.id} is left: copy {copy.id} was deleted.") from gone
    if copy.status != fields.BackupStatus.AVAILABLE:
        raise CopyFailed(f"Backup {source.id} is left: copy {copy.id} is {copy.status}.")
    host = source.host
    if not record.claim_for_removal(source, [fields.BackupStatus.AVAILABLE], host=host):
        raise CopyFailed(f"Backup {source.id} is left: it is no longer available.")
    try:
        # An incremental that was begun before that is seen now; a later one sees the status.
        _refuse_parent(cloud, source)
    except CopyFailed:
        source.conditional_update(
            {"status": fields.BackupStatus.AVAILABLE, "host": host},
            {"status": fields.BackupStatus.DELETING},
        )
        raise
    record.remove(cloud.context, source, driver)


def _refuse_parent(cloud: Cloud, source: Any) -> None:
    for child in children_of(cloud.context, source):
        raise CopyFailed(
            f"Backup {source.id} is left: backup {child} builds on it. Move that one, too."
        )
