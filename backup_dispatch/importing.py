# SPDX-License-Identifier: Apache-2.0
"""Which backend accepts what an export added to a record.

Cinder gives the driver neither the exported owner nor the properties, and overwrites the record
afterwards: the owner itself is found at the first operation after the import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cinder.backup.driver import BackupDriver

from backup_dispatch import records
from backup_dispatch.backends.configured import Backend, Backends
from backup_dispatch.errors import DispatchError, OwnerUnresolved
from backup_dispatch.ownership import hint_of


def offer(backup: Any, driver_info: Any, enabled: Backends, take: Callable[[Backend], Any]) -> Any:
    """Offer the import to the backend that the record names, then to the others, until one accepts.

    A driver refuses what it cannot reach.

    :param take: passes the import to a backend; raises a DispatchError if that refuses it.
    :returns: what the backend returns.
    :raises DispatchError: no backend accepts it.
    """
    told = _told_by_record(backup, enabled)
    asked = [] if told is None else [told]
    if driver_info:
        asked += [one for one in enabled.enabled if one is not told and _takes_imports(one)]
    refusals: list[DispatchError] = []
    for backend in asked:
        try:
            return take(backend)
        except DispatchError as refusal:
            refusals.append(refusal)
    if len(refusals) > 1:
        reasons = " ".join(str(refusal) for refusal in refusals)
        raise OwnerUnresolved(f"No backend takes the import of backup {backup.id}: {reasons}")
    if refusals:
        raise refusals[0]
    return None


def _told_by_record(backup: Any, enabled: Backends) -> Backend | None:
    """The backend named by the deleted record of that ID, which Cinder reuses."""
    if records.is_unresolved(backup.service):
        return enabled.named(hint_of(backup) or "")
    try:
        return records.recorded_owner(backup.id, backup.service, enabled)
    except OwnerUnresolved:
        return None


def _takes_imports(backend: Backend) -> bool:
    """Whether the driver uses what an export added."""
    taken = backend.driver_class.import_record
    return taken is not BackupDriver.import_record
